import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Browser, chromium } from "playwright";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { moduleBytes } from "../src/module.js";

// The built package, as an application gets it: bundled and minified into one file, which is all that
// there is at run time. Needs `pnpm build`.
const root = fileURLToPath(new URL("..", import.meta.url));
const built = existsSync(join(root, "dist/index.js"));
const executablePath = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";

/** Bun and Deno where the environment says where they are. */
const runtimes = [
  { name: "Node", path: process.execPath, args: [] },
  { name: "Bun", path: process.env.BUN_PATH, args: [] },
  { name: "Deno", path: process.env.DENO_PATH, args: ["run", "--allow-all"] },
].flatMap(({ path, ...runtime }) => (path ? [{ ...runtime, path }] : []));

interface Result {
  readonly threads: number;
  readonly notes: readonly string[];
  readonly worst: number;
}

/** The package minified without core. */
async function buildOwn(): Promise<string> {
  const result = await build({
    root,
    configFile: false,
    logLevel: "error",
    build: {
      lib: { entry: join(root, "dist/index.js"), formats: ["es"], fileName: "own" },
      rollupOptions: {
        external: ["@heed/core", "@heed/core/program"],
        // Vite's own option leaves the white space of a library.
        output: { minify: true },
      },
      write: false,
    },
  });
  const [{ output }] = result as { output: { code: string }[] }[] as [
    { output: { code: string }[] },
  ];
  return output.map(({ code }) => code).join("");
}

describe.skipIf(!built)("the built package", () => {
  let directory: string;
  let bundle: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "heed-packaging-"));
    await build({
      root,
      configFile: false,
      logLevel: "error",
      build: {
        lib: { entry: join(root, "test/packaging/entry.js"), formats: ["es"], fileName: "bundle" },
        outDir: directory,
        emptyOutDir: false,
        minify: true,
        // Nothing may be left to a file beside the bundle.
        assetsInlineLimit: 0,
        // The compiler of programs is imported late, and is a file of its own otherwise.
        rollupOptions: { output: { codeSplitting: false } },
      },
    });
    bundle = join(directory, "bundle.js");
  });
  afterAll(() => rm(directory, { recursive: true }));

  test("is one file that imports nothing", async () => {
    const text = await readFile(bundle, "utf8");
    expect(text).not.toMatch(/\bimport\s*[({"'*]|\brequire\s*\(\s*["'](?!node:worker_threads)/);
    // Both binaries in base64 and the rest of this package, with 13 KB that only calls with programs load; core,
    // which an application has once, is apart.
    const own = await buildOwn();
    expect(own.length).toBeLessThan(150_000);
    expect(text.length).toBeGreaterThan(own.length);
  });

  // 8 KB of each are the instructions of programs. A module of their own would have to reach workers that wait.
  // 3 KB of each are the variants of tiles, which are up to twice as fast on JavaScriptCore.
  // 4 KB of each are the way for short problems, which takes 0.86 to 0.94 of the time there.
  test("has binaries of less than 127 KiB together", async () => {
    const sizes = await Promise.all(
      ["baseline", "relaxed"].map(
        async (name) => (await readFile(join(root, `dist/${name}.wasm`))).length,
      ),
    );
    expect(sizes.reduce((a, b) => a + b)).toBeLessThan(130_048);
  });

  test("the builds that it carries are those of the files", async () => {
    for (const name of ["baseline", "relaxed"] as const) {
      for (const shared of [false, true]) {
        const file = await readFile(join(root, `dist/${name}${shared ? "-shared" : ""}.wasm`));
        expect(Buffer.from(moduleBytes(name, shared)).equals(file)).toBe(true);
      }
    }
  });

  test("the files for other compilers fit the memory that they name", async () => {
    for (const name of ["baseline", "relaxed"]) {
      const plain = new Uint8Array(await readFile(join(root, `dist/${name}.wasm`)));
      const shared = new Uint8Array(await readFile(join(root, `dist/${name}-shared.wasm`)));
      const different = plain.filter((byte, i) => byte !== shared[i]);
      expect(different).toHaveLength(1);
      expect(shared).toHaveLength(plain.length);
    }
    const bytes = await readFile(join(root, "dist/baseline-shared.wasm"));
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 65_536, shared: true });
    await WebAssembly.instantiate(bytes, { env: { memory } });
  });

  test.each(runtimes)(
    "runs in $name on two threads, and it ends by itself, disposed or not",
    async ({ name, path, args }) => {
      const script = join(directory, `run-${name}.mjs`);
      // Nothing is disposed of here: idle workers must not keep the process alive.
      await writeFile(
        script,
        `import { check, wasm } from "./bundle.js";
         const result = await check({ threads: 2 });
         const left = await wasm({ threads: 3 }).load();
         while (left.info.threads === 1) await new Promise((resolve) => setTimeout(resolve, 5));
         console.log(JSON.stringify({ ...result, left: left.info.threads }));`,
      );
      const run = promisify(execFile);
      const { stdout } = await run(path, [...args, script], { timeout: 30_000 });
      const result = JSON.parse(stdout) as Result & { left: number };
      expect(result).toMatchObject({ threads: 2, left: 3 });
      expect(result.worst).toBeLessThan(1e-5);
    },
  );

  describe.skipIf(!existsSync(executablePath))("in chromium", () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
    });
    afterAll(() => browser.close());

    const isolated = {
      "Cross-Origin-Opener-Policy": "same-origin",
      "Cross-Origin-Embedder-Policy": "require-corp",
    };

    async function inPage(headers: Record<string, string>, options: object): Promise<Result> {
      const server = await serve(bundle, headers);
      const page = await browser.newPage();
      try {
        await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
        return await page.evaluate(
          `import("/bundle.js").then(({ check }) => check(${JSON.stringify(options)}))`,
        );
      } finally {
        await page.close();
        server.close();
      }
    }

    test("isolated: on two threads", async () => {
      const result = await inPage(isolated, { threads: 2 });
      expect(result).toMatchObject({ threads: 2 });
      expect(result.worst).toBeLessThan(1e-5);
    });

    test("not isolated: on one, and says why", async () => {
      const result = await inPage({}, { threads: 2 });
      expect(result.threads).toBe(1);
      expect(result.notes.join()).toContain("not cross-origin isolated");
      expect(result.worst).toBeLessThan(1e-5);
    });

    test("a policy without workers: on one thread, and says why", async () => {
      const policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";
      const result = await inPage(
        { ...isolated, "Content-Security-Policy": policy },
        { threads: 2 },
      );
      expect(result.threads).toBe(1);
      expect(result.notes.join()).toContain("one thread: the worker was blocked");
      expect(result.notes.join()).toContain("worker-src blob:");
      expect(result.worst).toBeLessThan(1e-5);
    });

    test("a policy with the sources that README names: on two threads", async () => {
      const policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src blob:";
      const headers = { ...isolated, "Content-Security-Policy": policy };
      const result = await inPage(headers, { threads: 2 });
      expect(result).toMatchObject({ threads: 2 });
    });

    test("a policy without 'wasm-unsafe-eval': unavailable, and the hint names the source", async () => {
      const policy = "default-src 'self'; script-src 'self'";
      const headers = { ...isolated, "Content-Security-Policy": policy };
      await expect(inPage(headers, { threads: 1 })).rejects.toThrow(/'wasm-unsafe-eval'/);
    });
  });
});

async function serve(bundle: string, headers: Record<string, string>): Promise<Server> {
  const script = await readFile(bundle);
  const server = createServer((request, response) => {
    const isScript = request.url === "/bundle.js";
    const type = isScript ? "text/javascript" : "text/html";
    response.writeHead(200, { ...headers, "Content-Type": type });
    response.end(isScript ? script : "<!doctype html><title>heed</title>");
  });
  await new Promise<void>((resolve) => server.listen(0, resolve));
  return server;
}
