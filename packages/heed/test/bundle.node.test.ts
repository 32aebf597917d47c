/** The files that an application downloads, made from built packages: needs `pnpm build`. */
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, chromium } from "playwright";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Bundle, type Bundler, bundle } from "./bundles.js";

const built = existsSync(fileURLToPath(new URL("../dist/index.js", import.meta.url)));
const executablePath = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";

/** Most bytes, compressed by gzip, that come before an application's first line. */
const mostFirstBytes = 15 * 1024;

/** Found in kernels of webgpu, and in nothing else. */
const ofKernels = /@workgroup_size/;
/** The beginning of a WebAssembly module in base64: wasm's kernels. */
const ofWasm = /AGFzbQEAAAA/;

const applications = {
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

let temporary: string;
beforeAll(async () => {
  temporary = await mkdtemp(join(tmpdir(), "heed-bundle-"));
});
afterAll(async () => {
  await rm(temporary, { recursive: true });
  const folder = fileURLToPath(new URL("../dist/.bundles", import.meta.url));
  await rm(folder, { recursive: true, force: true });
});

async function filesWith(pattern: RegExp, { directory, files }: Bundle): Promise<string[]> {
  const found = await Promise.all(
    files.map(async (file) => pattern.test(await readFile(join(directory, file), "utf8"))),
  );
  return files.filter((_, i) => found[i]);
}

describe.skipIf(!built).each(["vite", "esbuild"] as const)("bundled by %s", (bundler: Bundler) => {
  const bundles = new Map<string, Bundle>();
  beforeAll(async () => {
    for (const [name, source] of Object.entries(applications)) {
      const directory = await mkdtemp(join(temporary, `${bundler}-`));
      bundles.set(name, await bundle(bundler, source, directory));
    }
  });

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

  test.skipIf(!existsSync(executablePath))(
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

test.skipIf(!built || !existsSync(executablePath)).each([
  ["script-src 'self'", "js", /wasm-unsafe-eval/],
  ["script-src 'self' 'wasm-unsafe-eval'", "wasm", null],
])("under the content policy %s, %s computes", async (policy, expected, reason) => {
  const directory = await mkdtemp(join(temporary, "policy-"));
  const made = await bundle("esbuild", applications.attention, directory);
  const headers = { "Content-Security-Policy": `default-src 'self'; ${policy}` };
  const { result } = await inPage(made, headers);
  const { backend, others } = result as {
    readonly backend: string;
    readonly others: readonly { backend: string; reasons: readonly { hint?: string }[] }[];
  };
  expect(backend).toBe(expected);
  if (reason === null) return;
  expect(others.find((other) => other.backend === "wasm")?.reasons[0]?.hint).toMatch(reason);
});

test.skipIf(!built || !existsSync(executablePath))(
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

let browser: Browser | undefined;
afterAll(() => browser?.close());

/** Runs a bundle in a page without a GPU. @returns the files that it requested, and its result */
async function inPage(
  made: Bundle,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ requested: readonly string[]; result: unknown }> {
  browser ??= await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  const requested: string[] = [];
  const server = await serve(made, requested, headers);
  const page = await browser.newPage();
  try {
    await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
    const result = await page.evaluate(`import("/${made.entry}").then(() => globalThis.result)`);
    return { requested, result };
  } finally {
    await page.close();
    server.close();
  }
}

async function serve(
  { directory, files }: Bundle,
  requested: string[],
  headers: Readonly<Record<string, string>>,
): Promise<Server> {
  const server = createServer(async (request, response) => {
    const file = (request.url ?? "/").slice(1);
    const known = files.includes(file);
    if (known) requested.push(file);
    const type = extname(file) === ".js" ? "text/javascript" : "text/html";
    response.writeHead(200, { ...headers, "Content-Type": type });
    response.end(
      known ? await readFile(join(directory, file)) : "<!doctype html><title>heed</title>",
    );
  });
  await new Promise<void>((resolve) => server.listen(0, resolve));
  return server;
}
