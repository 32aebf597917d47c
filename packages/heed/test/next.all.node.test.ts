/** An application of Next.js: its server computes, its page downloads little at first. Needs a network. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { chromium } from "playwright";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { built, install } from "./installed.js";
import { chromiumPath } from "./page.js";

const report = `
  import { createAttention, tensor } from "heed";
  export async function report() {
    const t = tensor(new Float32Array(8).fill(1), [1, 1, 2, 4]);
    const call = { query: t, key: t, value: t };
    const attention = await createAttention({ store: null });
    const { backend, output } = await attention.run(call);
    const { text } = attention.explain(call);
    await attention.dispose();
    return { backend, values: [...output.data], text };
  }`;

const files = {
  "next.config.mjs": "export default {};",
  "app/layout.js": `
    export default function Layout({ children }) {
      return <html lang="en"><body>{children}</body></html>;
    }`,
  "app/report.js": report,
  "app/page.js": `
    "use client";
    import { useEffect } from "react";
    import { report } from "./report";
    export default function Page() {
      useEffect(() => { globalThis.result = report(); }, []);
      return <p>heed</p>;
    }`,
  "app/api/route.js": `
    import { report } from "../report";
    export const dynamic = "force-dynamic";
    export const GET = async () => Response.json(await report());`,
};

const packages = ["next@16.4.6", "react@19.3.1", "react-dom@19.3.1"];

describe.skipIf(!built)("in Next", () => {
  let folder: string;
  let server: ChildProcess;
  let address: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "heed-next-"));
    const run = promisify(execFile);
    const quietly = { cwd: folder, env: { ...process.env, NEXT_TELEMETRY_DISABLED: "1" } };
    await writeFile(join(folder, "package.json"), "{}");
    await run("npm", ["install", "--silent", ...packages], quietly);
    await install([], "", folder);
    await mkdir(join(folder, "app/api"), { recursive: true });
    for (const [path, text] of Object.entries(files)) await writeFile(join(folder, path), text);
    const next = join(folder, "node_modules/next/dist/bin/next");
    await run(process.execPath, [next, "build"], quietly);
    server = spawn(process.execPath, [next, "start", "--port", "0"], {
      ...quietly,
      stdio: ["ignore", "pipe", "inherit"],
    });
    address = await new Promise((resolve, reject) => {
      let text = "";
      server.once("exit", (code) => reject(new Error(`next ended with code ${code}: ${text}`)));
      server.stdout?.on("data", (chunk) => {
        text += chunk;
        const found = /http:\/\/localhost:\d+/.exec(text);
        if (found && /Ready/.test(text)) resolve(found[0]);
      });
    });
  }, 900_000);
  afterAll(async () => {
    server?.kill();
    await rm(folder, { recursive: true });
  });

  test("the server computes, and explains itself", { timeout: 120_000 }, async () => {
    const { backend, values, text } = await (await fetch(`${address}/api`)).json();
    expect(values).toEqual(Array(8).fill(1));
    expect(backend).toBe("wasm");
    expect(text).toMatch(/^wasm runs it: .*\n {2}webgpu: .*\n {2}onnx: onnxruntime-node is not/);
  });

  test("the page's first files have 15 KB of it at most, and no kernels", async () => {
    const page = await (await fetch(address)).text();
    const first = new Set(
      [...page.matchAll(/\/_next\/static\/chunks\/([^"\\]+\.js)/g)].map((m) => m[1]),
    );
    const chunks = join(folder, ".next/static/chunks");
    let bytes = 0;
    let withKernels = 0;
    for (const name of (await readdir(chunks)).filter((name) => name.endsWith(".js"))) {
      const text = await readFile(join(chunks, name), "utf8");
      const kernels = /AGFzbQEAAAA|@workgroup_size/.test(text);
      if (kernels) withKernels += 1;
      if (!first.has(name)) continue;
      expect(kernels, name).toBe(false);
      // A message of the package: other files are those of React and Next.
      if (/heed/.test(text)) bytes += gzipSync(text, { level: 9 }).length;
    }
    expect(withKernels).toBeGreaterThan(0);
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThanOrEqual(15 * 1024);
  });

  test.skipIf(!existsSync(chromiumPath))("the page computes", { timeout: 120_000 }, async () => {
    const browser = await chromium.launch({ executablePath: chromiumPath, args: ["--no-sandbox"] });
    try {
      const page = await browser.newPage();
      await page.goto(address);
      await page.waitForFunction("globalThis.result");
      const { backend, values } = (await page.evaluate("globalThis.result")) as {
        backend: string;
        values: readonly number[];
      };
      expect(values).toEqual(Array(8).fill(1));
      expect(backend).toBe("wasm");
    } finally {
      await browser.close();
    }
  });
});
