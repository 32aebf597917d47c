/** heed in workerd, the runtime of Cloudflare's workers: `.ci/run` installs it and says where. */
import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, expect, test } from "vitest";
import { applicationFile, removeBundles } from "./bundles.js";

const built = existsSync(fileURLToPath(new URL("../dist/index.js", import.meta.url)));
const workerd = process.env.WORKERD_PATH;
const required = (process.env.HEED_REQUIRE ?? "").split(",").includes("workerd");
const kernels = fileURLToPath(new URL("../../backend-wasm/dist/baseline.wasm", import.meta.url));

/** The runtime compiles modules when it starts, and forbids it later. */
const application = `
  import * as heed from "heed";
  import kernels from "./kernels.wasm";
  const t = heed.tensor(new Float32Array(8).fill(1), [1, 1, 2, 4]);
  const call = { query: t, key: t, value: t };
  const report = async (options) => {
    const attention = await heed.createAttention(options);
    const { backend, output } = await attention.run(call);
    const { text } = attention.explain(call);
    await attention.dispose();
    return { backend, values: [...output.data], text };
  };
  export default {
    fetch: async () =>
      Response.json({
        environment: heed.environmentOf(),
        byDefault: await report(),
        withModule: await report({ backends: [heed.wasm({ module: kernels }), "js"] }),
        inWorker: await report({ backends: [heed.js({ worker: true })] }),
      }),
  };`;

const config = `
  using Workerd = import "/workerd/workerd.capnp";
  const config :Workerd.Config = (
    services = [(name = "main", worker = (
      modules = [
        (name = "worker.js", esModule = embed "worker.js"),
        (name = "kernels.wasm", wasm = embed "kernels.wasm"),
      ],
      compatibilityDate = "2026-01-01",
    ))],
    sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
  );`;

let temporary: string | undefined;
let running: ChildProcess | undefined;
afterAll(async () => {
  running?.kill();
  await removeBundles();
  if (temporary) await rm(temporary, { recursive: true });
});

/** @returns the port, which the runtime tells as the line of an event */
async function start(directory: string): Promise<number> {
  const child = spawn(workerd as string, ["serve", "config.capnp", "--control-fd=3"], {
    cwd: directory,
    stdio: ["ignore", "inherit", "inherit", "pipe"],
  });
  running = child;
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`workerd ended with code ${code}`)));
    let text = "";
    (child.stdio[3] as Readable).on("data", (chunk) => {
      text += chunk;
      const line = text.split("\n").find((line) => /"listen"/.test(line) && line.endsWith("}"));
      if (line) resolve(JSON.parse(line).port);
    });
  });
}

test.skipIf(!built || (workerd === undefined && !required))(
  "in workerd js runs a call, and wasm where its module is deployed with it",
  { timeout: 120_000 },
  async () => {
    temporary = await mkdtemp(join(tmpdir(), "heed-workerd-"));
    await build({
      entryPoints: [await applicationFile(application)],
      outfile: join(temporary, "worker.js"),
      bundle: true,
      format: "esm",
      target: "es2022",
      conditions: ["workerd", "worker", "browser"],
      external: ["./kernels.wasm"],
      logLevel: "error",
    });
    copyFileSync(kernels, join(temporary, "kernels.wasm"));
    await writeFile(join(temporary, "config.capnp"), config);
    const response = await fetch(`http://127.0.0.1:${await start(temporary)}/`);
    const text = await response.text();
    expect(response.status, text).toBe(200);
    const { environment, byDefault, withModule, inWorker } = JSON.parse(text);
    expect(environment).toBe("workerd");
    for (const { values } of [byDefault, withModule, inWorker]) {
      expect(values).toEqual(Array(8).fill(1));
    }
    expect(byDefault.backend).toBe("js");
    expect(byDefault.text).toMatch(/^js runs it: plain JavaScript runs everywhere\n {2}wasm: /);
    expect(byDefault.text).toMatch(/module/);
    expect(withModule.backend).toBe("wasm");
    expect(withModule.text).toMatch(/^wasm runs it\n {2}js: not loaded, since wasm runs it$/);
    expect(inWorker.backend).toBe("js");
  },
);
