/** Pages in chromium: which backend runs a call there, and how the others are explained. */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Bundle, bundle, removeBundles } from "./bundles.js";
import {
  chromiumPath,
  closeBrowsers,
  inPage,
  isolation,
  type PageOptions,
  softwareWebGpu,
} from "./page.js";

/** Processors that pages see. */
const hardware = availableParallelism();
const built = existsSync(fileURLToPath(new URL("../dist/index.js", import.meta.url)));

/** An application that tells which backend ran a call, and what is said of each. */
const reporting = (options: string): string => `
  import * as heed from "heed";
  const report = async () => {
    const t = heed.tensor(new Float32Array(8).fill(1), [1, 1, 2, 4]);
    const call = { query: t, key: t, value: t };
    const attention = await heed.createAttention({ store: null, ${options} });
    const { backend, output } = await attention.run(call);
    const its = () => attention.backends.find(({ name }) => name === backend).info;
    // Threads start after the first call; where they cannot, the note says so by then.
    for (let i = 0; i < 200 && /more start/.test(its().notes?.join()); i++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const { others, why, text } = attention.explain(call);
    const { threads, notes = [] } = its();
    return { environment: heed.environmentOf(), backend, values: [...output.data], others, why, text, threads, notes };
  };
  globalThis.result = report();`;

interface Reported {
  readonly environment: string;
  readonly backend: string;
  readonly values: readonly number[];
  readonly others: readonly {
    readonly backend: string;
    readonly reasons: readonly {
      readonly code: string;
      readonly message: string;
      readonly hint?: string;
    }[];
  }[];
  readonly why?: string;
  readonly text: string;
  readonly threads: number;
  readonly notes: readonly string[];
}

interface Place {
  readonly name: string;
  readonly options: PageOptions;
  readonly backend: string;
  /** The text about webgpu in `explain`, if another backend is chosen. */
  readonly webgpu: RegExp;
  /** Notes of the backend that is chosen. */
  readonly notes: RegExp;
  readonly threads: "one" | "several";
}

const noAdapter = /WebGPU finds no adapter/;
const policy = (text: string) => ({ "Content-Security-Policy": text });

const places: readonly Place[] = [
  {
    name: "a page that is not isolated, without an adapter",
    options: {},
    backend: "wasm",
    webgpu: noAdapter,
    notes: /one thread: .*isolat/,
    threads: "one",
  },
  {
    name: "an isolated page",
    options: { headers: isolation },
    backend: "wasm",
    webgpu: noAdapter,
    notes: /^(?!.*one thread)/,
    threads: "several",
  },
  {
    name: "a worker of an isolated page",
    options: { headers: isolation, worker: true },
    backend: "wasm",
    webgpu: noAdapter,
    notes: /^(?!.*one thread)/,
    threads: "several",
  },
  {
    name: "a worker of a page that is not isolated",
    options: { worker: true },
    backend: "wasm",
    webgpu: noAdapter,
    notes: /one thread: .*isolat/,
    threads: "one",
  },
  {
    name: "a page whose only adapter imitates a GPU",
    options: { args: softwareWebGpu },
    backend: "wasm",
    webgpu: /imitates a GPU on the CPU/,
    notes: /one thread/,
    threads: "one",
  },
  {
    name: "a page that is no secure context",
    options: { args: ["--host-resolver-rules=MAP heed.test 127.0.0.1"], host: "heed.test" },
    backend: "wasm",
    webgpu: /this runtime has no WebGPU \(pages have WebGPU in secure contexts only/,
    notes: /one thread/,
    threads: "one",
  },
  {
    name: "an isolated page whose policy blocks workers",
    options: {
      headers: {
        ...isolation,
        ...policy("script-src 'self' 'wasm-unsafe-eval'; worker-src 'none'"),
      },
    },
    backend: "wasm",
    webgpu: noAdapter,
    notes: /one thread: .*worker-src blob:/,
    threads: "one",
  },
  {
    name: "an isolated page under script-src 'self'",
    options: { headers: { ...isolation, ...policy("script-src 'self'") } },
    backend: "js",
    webgpu: noAdapter,
    notes: /^/,
    threads: "one",
  },
  {
    name: "an isolated page with wasm-unsafe-eval and workers from blobs",
    options: {
      headers: {
        ...isolation,
        ...policy("script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:"),
      },
    },
    backend: "wasm",
    webgpu: noAdapter,
    notes: /^(?!.*one thread)/,
    threads: "several",
  },
];

describe.skipIf(!built || !existsSync(chromiumPath))("heed without arguments", () => {
  let temporary: string;
  let byDefault: Bundle;
  beforeAll(async () => {
    temporary = await mkdtemp(join(tmpdir(), "heed-pages-"));
    byDefault = await bundle("esbuild", reporting(""), temporary);
  }, 240_000);
  afterAll(() =>
    Promise.all([rm(temporary, { recursive: true }), removeBundles(), closeBrowsers()]),
  );

  test.each(places)("$name: $backend", async (place) => {
    const reported = (await inPage(byDefault, place.options)).result as Reported;
    expect(reported.environment).toBe(place.options.worker ? "worker" : "browser");
    expect(reported.values).toEqual(Array(8).fill(1));
    expect(reported.backend).toBe(place.backend);
    expect(reported.why).toMatch(
      place.backend === "wasm" ? /WebAssembly with SIMD/ : /runs everywhere/,
    );
    const [gpu] = reported.others;
    expect(gpu).toMatchObject({ backend: "webgpu", reasons: [{ code: "unavailable" }] });
    expect(reported.text).toMatch(place.webgpu);
    expect(reported.text.split("\n")[0]).toMatch(new RegExp(`^${place.backend} runs it: `));
    if (place.backend === "js") expect(reported.text).toMatch(/wasm: .*wasm-unsafe-eval/);
    else expect(reported.text).toMatch(/js: not loaded, since wasm runs it/);
    expect(reported.notes.join("; ")).toMatch(place.notes);
    if (place.threads === "one") expect(reported.threads).toBe(1);
    // A machine with one processor has no more threads.
    else expect(reported.threads).toBeGreaterThanOrEqual(Math.min(2, hardware));
  });

  test.each([false, true])(
    "an adapter in software runs the call where it is asked for; in a worker: %s",
    async (worker) => {
      const asked = `fallback: "silent", backends: [heed.webgpu({ allowFallbackAdapter: true }), "wasm"]`;
      const directory = await mkdtemp(join(temporary, "asked-"));
      const made = await bundle("esbuild", reporting(asked), directory);
      const { result } = await inPage(made, { args: softwareWebGpu, worker });
      const reported = result as Reported;
      expect(reported.backend, reported.text).toBe("webgpu");
      expect(reported.values).toEqual(Array(8).fill(1));
      expect(reported.notes.join()).toMatch(/software adapter/);
      expect(reported.text).toMatch(/wasm: not loaded, since webgpu runs it/);
    },
  );

  test("where workers are blocked, wasm({ worker: true }) computes on the page and says so", async () => {
    const asked = `backends: [heed.wasm({ worker: true }), "js"]`;
    const directory = await mkdtemp(join(temporary, "blocked-"));
    const made = await bundle("vite", reporting(asked), directory);
    const headers = policy("script-src 'self' 'wasm-unsafe-eval'; worker-src 'none'");
    const reported = (await inPage(made, { headers })).result as Reported;
    expect(reported.backend).toBe("wasm");
    expect(reported.values).toEqual(Array(8).fill(1));
    expect(reported.notes.join()).toMatch(/no worker, so that long calls block/);
  });
});
