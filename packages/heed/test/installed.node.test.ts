/** The built package as an application has it, in every runtime at hand, with optional packages and without. */
import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const packages = fileURLToPath(new URL("../..", import.meta.url));
const built = existsSync(join(packages, "heed/dist/index.js"));
const installed = [
  "core",
  "gpu-memory",
  "backend-js",
  "backend-onnx",
  "backend-wasm",
  "backend-webgpu",
  "heed",
];
const optional = ["onnxruntime-node", "webgpu"];

/** Node itself, and others where the environment says where they are. */
const runtimes = [
  { name: `Node ${process.version}`, path: process.execPath, args: [] },
  { name: "Node 24", path: process.env.NODE24_PATH, args: [] },
  { name: "Deno", path: process.env.DENO_PATH, args: ["run", "--allow-all"] },
  { name: "Bun", path: process.env.BUN_PATH, args: [] },
].flatMap(({ path, ...runtime }) => (path ? [{ ...runtime, path }] : []));

const script = `
  import { createAttention, scaledDotProductAttention, tensor } from "heed";
  const t = tensor(new Float32Array(8).fill(1), [1, 1, 2, 4]);
  const call = { query: t, key: t, value: t };
  const attention = await createAttention();
  const { backend, output } = await attention.run(call);
  const { others } = attention.explain(call);
  const named = await createAttention({ backends: ["onnx", "js"], fallback: "silent" });
  const byName = (await named.run(call)).backend;
  await Promise.all([attention.dispose(), named.dispose()]);
  const direct = await scaledDotProductAttention(t, t, t);
  console.log(JSON.stringify({ backend, others, byName, values: [...output.data, ...direct.data] }));
`;

interface Printed {
  readonly backend: string;
  readonly others: readonly {
    readonly backend: string;
    readonly reasons: readonly { readonly code: string; readonly message: string }[];
  }[];
  readonly byName: string;
  readonly values: readonly number[];
}

/** Installs the packages by copying them, so that only what is linked is found. */
function install(target: string, extra: readonly string[]): void {
  const modules = join(target, "node_modules");
  for (const name of installed) {
    const from = join(packages, name);
    const manifest = JSON.parse(readFileSync(join(from, "package.json"), "utf8"));
    const to = join(modules, manifest.name);
    mkdirSync(to, { recursive: true });
    cpSync(join(from, "package.json"), join(to, "package.json"));
    cpSync(join(from, "dist"), join(to, "dist"), {
      recursive: true,
      filter: (path) => !path.includes(".bundles"),
    });
  }
  const protobuf = join(packages, "backend-onnx/node_modules/@bufbuild/protobuf");
  mkdirSync(join(modules, "@bufbuild"), { recursive: true });
  symlinkSync(resolve(protobuf), join(modules, "@bufbuild/protobuf"));
  for (const name of extra) {
    const link = join(modules, name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(resolve(packages, "heed/node_modules", name), link);
  }
}

describe.skipIf(!built)("installed", () => {
  const targets = { alone: "", "with optional packages": "" };
  beforeAll(async () => {
    for (const name of Object.keys(targets) as (keyof typeof targets)[]) {
      targets[name] = await mkdtemp(join(tmpdir(), "heed-installed-"));
      install(targets[name], name === "alone" ? [] : optional);
      await writeFile(join(targets[name], "run.mjs"), script);
      await writeFile(join(targets[name], "package.json"), "{}");
    }
  });
  afterAll(() =>
    Promise.all(Object.values(targets).map((target) => rm(target, { recursive: true }))),
  );

  const run = async (
    { path, args }: (typeof runtimes)[number],
    target: string,
  ): Promise<Printed> => {
    // pnpm sets NODE_PATH, by which Bun would find the repository's own packages.
    const { NODE_PATH: _, ...env } = process.env;
    const { stdout } = await promisify(execFile)(path, [...args, "run.mjs"], {
      cwd: target,
      env,
      timeout: 50_000,
    });
    return JSON.parse(stdout.trim().split("\n").at(-1) as string);
  };

  test.each(runtimes)("alone, $name computes on wasm and says why", async (runtime) => {
    const { backend, others, byName, values } = await run(runtime, targets.alone);
    expect(values).toEqual(Array(16).fill(1));
    expect(backend).toBe("wasm");
    expect(byName).toBe("js");
    const reasons = Object.fromEntries(others.map((o) => [o.backend, o.reasons[0]]));
    expect(reasons.webgpu?.code).toBe("unavailable");
    expect(reasons.js).toEqual({ code: "not-tried", message: "not loaded, since wasm runs it" });
    if (!runtime.name.startsWith("Node")) return;
    expect(reasons.webgpu?.message).toMatch(/package webgpu, which is not installed/);
    expect(reasons.onnx?.message).toMatch(/onnxruntime-node is not installed/);
  });

  test.each(runtimes.filter(({ name }) => name.startsWith("Node")))(
    "with optional packages, $name computes on them",
    async (runtime) => {
      const { backend, others, byName, values } = await run(
        runtime,
        targets["with optional packages"],
      );
      expect(values).toEqual(Array(16).fill(1));
      // A machine with a GPU and its driver computes on that.
      expect(["webgpu", "onnx"]).toContain(backend);
      expect(byName).toBe("onnx");
      if (backend === "webgpu") return;
      expect(others[0]).toMatchObject({ backend: "webgpu", reasons: [{ code: "unavailable" }] });
      expect(others.map((o) => o.reasons[0]?.code)).toEqual([
        "unavailable",
        "not-tried",
        "not-tried",
      ]);
    },
  );
});
