/** The files that an application downloads, made from built packages: needs `pnpm build`. */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { applications, bundledBy, filesWith, mostFirstBytes } from "./bundled.js";
import { bundle, removeBundles } from "./bundles.js";
import { chromiumPath, closeBrowsers, inPage } from "./page.js";

const built = existsSync(fileURLToPath(new URL("../dist/index.js", import.meta.url)));

let temporary: string;
beforeAll(async () => {
  temporary = await mkdtemp(join(tmpdir(), "heed-bundle-"));
});
afterAll(async () => {
  await Promise.all([rm(temporary, { recursive: true }), removeBundles(), closeBrowsers()]);
});

bundledBy("vite", built);
bundledBy("esbuild", built);

/** Draws frames while a worker computes; a page that computes itself draws none before its call is over. */
const drawing = `import { createAttention, tensor, wasm } from "heed";
  const shape = [1, 8, 2048, 64];
  const t = tensor(new Float32Array(8 * 2048 * 64).fill(1), shape);
  globalThis.result = (async () => {
    const attention = await createAttention({ backends: [wasm({ worker: true })], store: null });
    await attention.prepare({ query: t, key: t, value: t });
    let frames = 0;
    let drawing = true;
    const draw = () => {
      frames += 1;
      if (drawing) requestAnimationFrame(draw);
    };
    requestAnimationFrame(draw);
    const { output } = await attention.run({ query: t, key: t, value: t });
    drawing = false;
    const [{ info }] = attention.backends;
    return { frames, value: output.data[99], notes: info.notes };
  })();`;

test.skipIf(!built || !existsSync(chromiumPath)).each([
  ["script-src 'self'", "js", /wasm-unsafe-eval/],
  ["script-src 'self' 'wasm-unsafe-eval'", "wasm", null],
])("under the content policy %s, %s computes", async (policy, expected, reason) => {
  const directory = await mkdtemp(join(temporary, "policy-"));
  const made = await bundle("esbuild", applications.attention, directory);
  const headers = { "Content-Security-Policy": `default-src 'self'; ${policy}` };
  const { result } = await inPage(made, { headers });
  const { backend, others } = result as {
    readonly backend: string;
    readonly others: readonly { backend: string; reasons: readonly { hint?: string }[] }[];
  };
  expect(backend).toBe(expected);
  if (reason === null) return;
  expect(others.find((other) => other.backend === "wasm")?.reasons[0]?.hint).toMatch(reason);
});

test.skipIf(!built || !existsSync(chromiumPath))(
  "a page goes on drawing while a worker computes, in a bundle of vite",
  async () => {
    const made = await bundle("vite", drawing, await mkdtemp(join(temporary, "worker-")));
    const { result } = await inPage(made);
    expect(result).toMatchObject({
      value: 1,
      notes: expect.arrayContaining(["long calls are computed in a worker"]),
    });
    expect((result as { frames: number }).frames).toBeGreaterThan(2);
  },
);

test.skipIf(!built)("onnxruntime comes with the application that imports heed/onnx", async () => {
  const source = `import { createAttention } from "heed";
    import { onnx } from "heed/onnx";
    globalThis.result = createAttention({ backends: ["webgpu", "wasm", onnx({ provider: "wasm" })] });`;
  const directory = await mkdtemp(join(temporary, "onnx-"));
  const made = await bundle("esbuild", source, directory);
  expect(made.firstBytes).toBeLessThanOrEqual(mostFirstBytes);
  expect((await filesWith(/InferenceSession/, made)).length).toBeGreaterThan(0);
});
