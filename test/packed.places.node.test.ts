/** The packages as they are published: files, exports, and what they compute, in each version of Node. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
// @ts-expect-error a script without types
import { installPacked, publishedPackages } from "../tools/packed/install.js";

interface Manifest {
  readonly name: string;
  readonly exports: Readonly<Record<string, string | { readonly source: string }>>;
}

const run = promisify(execFile);
const root = resolve(".");
const found: readonly { directory: string; manifest: Manifest }[] = publishedPackages(root);
const built = found.every(({ directory }) => existsSync(join(directory, "dist")));

/** Exports that are modules, and the source of each. */
const modules = found.flatMap(({ directory, manifest }) =>
  Object.entries(manifest.exports).flatMap(([path, target]) =>
    typeof target === "string"
      ? []
      : [
          {
            specifier: path.replace(/^\./, manifest.name),
            source: join(directory, target.source),
          },
        ],
  ),
);

/** Node itself, and Node 24 where `.ci/run` says where it is. */
const runtimes = [
  { version: process.version, path: process.execPath },
  { version: "v24", path: process.env.NODE24_PATH },
].flatMap(({ version, path }) => (path === undefined ? [] : [{ version, path }]));

/** Prints the names that each module exports, and what the suite says of each backend. */
const script = `
  import { checkBackend } from "@heed/conformance";
  const names = {};
  for (const specifier of process.argv[2].split(",")) {
    names[specifier] = Object.keys(await import(specifier)).sort();
  }
  const { js } = await import("@heed/backend-js");
  const { onnx } = await import("@heed/backend-onnx");
  const { wasm } = await import("@heed/backend-wasm");
  const { webgpu } = await import("@heed/backend-webgpu");
  const backends = {
    js: js(),
    onnx: onnx({ provider: "cpu" }),
    wasm: wasm({ threads: 2 }),
    webgpu: webgpu({ allowFallbackAdapter: true }),
  };
  const reports = {};
  for (const [name, provider] of Object.entries(backends)) {
    for (const filter of ["core/causal", "numerics/float16-l", "vectors/onnx/test_attention_4d_fp16"]) {
      const { unavailable, counts, results } = await checkBackend(provider, { filter });
      const failures = results.flatMap(({ id, failures }) => failures.map((text) => id + ": " + text));
      reports[name + " " + filter] = { unavailable, counts, failures };
    }
  }
  console.log(JSON.stringify({ names, reports }));
  process.exit();
`;

interface Printed {
  readonly names: Readonly<Record<string, readonly string[]>>;
  readonly reports: Readonly<
    Record<
      string,
      {
        readonly unavailable: { readonly reason: string } | null;
        readonly counts: Readonly<Record<string, number>>;
        readonly failures: readonly string[];
      }
    >
  >;
}

describe.skipIf(!built)("the packed packages", () => {
  let target: string;
  beforeAll(async () => {
    target = await mkdtemp(join(tmpdir(), "heed-packed-"));
    installPacked(root, target, { peers: true });
    await writeFile(join(target, "check.mjs"), script);
  }, 120_000);
  afterAll(() => rm(target, { recursive: true }));

  test.each(runtimes)(
    "export what their sources do and compute the same, in Node $version",
    { timeout: 240_000 },
    async ({ path }) => {
      const specifiers = modules
        .map(({ specifier }) => specifier)
        // Registers tests, and so needs a test runner around it.
        .filter((specifier) => specifier !== "@heed/conformance/vitest");
      const { stdout } = await run(path, [join(target, "check.mjs"), specifiers.join()], {
        maxBuffer: 2 ** 26,
      });
      const { names, reports }: Printed = JSON.parse(stdout.trim().split("\n").at(-1) as string);
      for (const { specifier, source } of modules) {
        if (!specifiers.includes(specifier)) continue;
        const sources = await import(/* @vite-ignore */ source);
        expect(names[specifier], specifier).toEqual(Object.keys(sources).sort());
      }
      const required = (process.env.HEED_REQUIRE ?? "").split(",");
      let passed = 0;
      for (const [title, { unavailable, counts, failures }] of Object.entries(reports)) {
        expect(failures, title).toEqual([]);
        if (unavailable === null) expect(counts.pass, title).toBeGreaterThan(0);
        else expect(required, unavailable.reason).not.toContain(title.split(" ")[0]);
        passed += counts.pass ?? 0;
      }
      expect(passed).toBeGreaterThan(20);
    },
  );
});
