/** Tests of an application in the files that a bundler makes of it. */
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Bundle, type Bundler, bundle } from "./bundles.js";
import { chromiumPath, inPage } from "./page.js";

/** Most bytes, compressed by gzip, that come before an application's first line. */
export const mostFirstBytes: number = 15 * 1024;

/** Found in kernels of webgpu, and in nothing else. */
const ofKernels = /@workgroup_size/;
/** The beginning of a WebAssembly module in base64: wasm's kernels. */
const ofWasm = /AGFzbQEAAAA/;

export const applications = {
  call: `import { scaledDotProductAttention, tensor } from "heed";
    const t = tensor(new Float32Array(8).fill(1), [1, 1, 2, 4]);
    globalThis.result = scaledDotProductAttention(t, t, t).then(({ data }) => [...data]);`,
  attention: `import { createAttention, tensor } from "heed";
    const t = tensor(new Float32Array(8).fill(1), [1, 1, 2, 4]);
    globalThis.result = createAttention().then(async (attention) => {
      const { backend } = await attention.run({ query: t, key: t, value: t });
      return { backend, others: attention.explain({ query: t, key: t, value: t }).others };
    });`,
};

export async function filesWith(pattern: RegExp, { directory, files }: Bundle): Promise<string[]> {
  const found = await Promise.all(
    files.map(async (file) => pattern.test(await readFile(join(directory, file), "utf8"))),
  );
  return files.filter((_, i) => found[i]);
}

/** Registers the tests of a bundler. The file that calls it ends the browsers. */
export function bundledBy(bundler: Bundler, runs: boolean): void {
  describe.skipIf(!runs)(`bundled by ${bundler}`, () => {
    const bundles = new Map<string, Bundle>();
    let temporary: string;
    beforeAll(async () => {
      temporary = await mkdtemp(join(tmpdir(), "heed-bundled-"));
      for (const [name, source] of Object.entries(applications)) {
        const directory = await mkdtemp(join(temporary, `${bundler}-`));
        bundles.set(name, await bundle(bundler, source, directory));
      }
    }, 240_000);
    afterAll(() => rm(temporary, { recursive: true }));

    test.each(Object.keys(applications))(
      "%s: little comes at once, and no onnxruntime",
      async (name) => {
        const made = bundles.get(name) as Bundle;
        expect(made.firstBytes).toBeLessThanOrEqual(mostFirstBytes);
        expect(made.files.filter((file) => /\bort|onnx|\.wasm$/.test(file))).toEqual([]);
        expect(await filesWith(/InferenceSession/, made)).toEqual([]);
        // Kernels are there, but not at once.
        for (const kernels of [ofKernels, ofWasm]) {
          const files = await filesWith(kernels, made);
          expect(files.length).toBeGreaterThan(0);
          expect(made.first.filter((file) => files.includes(file))).toEqual([]);
        }
      },
    );

    test.skipIf(!existsSync(chromiumPath))(
      "a page that ends on wasm never downloads webgpu's kernels",
      async () => {
        for (const [name, made] of bundles) {
          const { requested, result } = await inPage(made);
          if (name === "call") expect(result).toEqual(Array(8).fill(1));
          else expect(result).toMatchObject({ backend: "wasm" });
          const kernels = await filesWith(ofKernels, made);
          // Scripts of workers hold wasm's kernels once more.
          const wasm = await filesWith(ofWasm, made);
          expect(requested.filter((file) => wasm.includes(file))).toHaveLength(1);
          expect(requested.filter((file) => kernels.includes(file))).toEqual([]);
        }
      },
    );
  });
}
