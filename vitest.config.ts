import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { playwright } from "@vitest/browser-playwright";
import { defaultClientConditions, defaultServerConditions } from "vite";
import { defineConfig, type TestProjectConfiguration } from "vitest/config";
import { TimesReporter } from "./test/reporter.js";
import { AffectedFirst } from "./test/sequencer.js";
// @ts-expect-error a script without types
import { unknownRequirements } from "./tools/test/required.js";
// @ts-expect-error a script without types
import { vulkanEnvironment } from "./tools/vulkan.js";

/**
 * Tests are named for where they run: `*.test.ts` in Node and in chromium, `*.node.test.ts` in Node
 * only, `*.browser.test.ts` in chromium only. They run on sources, through the export condition
 * `source`; `HEED_TEST_DIST=1` runs them on what was built.
 */
const onSources = process.env.HEED_TEST_DIST !== "1";
const source = onSources ? ["source"] : [];
const tests = [
  "packages/*/test/**/*.test.ts",
  "apps/*/test/**/*.test.ts",
  "examples/*/test/**/*.test.ts",
  "templates/*/test/**/*.test.ts",
  "test/**/*.test.ts",
];

/** Environment variables that tests get, in Node and in browsers. */
const env = {
  HEED_REQUIRE: process.env.HEED_REQUIRE ?? "",
  HEED_TEST_SCOPE: process.env.HEED_TEST_SCOPE ?? "",
};

/** Names that must be present: a backend (`js`, …), `chromium`, a GPU's feature. Absent ones then fail. */
const required = env.HEED_REQUIRE.split(",").filter(Boolean);
const unknown: readonly string[] = unknownRequirements(required, import.meta.dirname);
if (unknown.length > 0) throw new Error(`HEED_REQUIRE names nothing that exists: ${unknown}`);
const chromium = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";

// Test processes inherit this.
Object.assign(process.env, vulkanEnvironment());

/**
 * Tests that do not depend on Node's version, and ran in another one: whether the suite is strong enough and
 * explains failures; kernels of WebGPU, which a library computes, under other limits of a GPU and with every way to
 * store keys; tools of the repository, whose own processes run in any case, such as bundlers; what already runs in
 * both versions.
 */
const independentOfEngine =
  env.HEED_TEST_SCOPE === "engine"
    ? [
        "packages/conformance/test/operations/**/{explain,mutants,merge,projection,rms-norm,rotary,scatter}.node.test.ts",
        "packages/backend-webgpu/test/{conformance-devices,float16-merge.node,merge,programs.node,projection,regions,rms-norm,snapshots.node,stored.node,wgsl.node}.test.ts",
        "packages/backend-webgpu/test/tuning/**",
        "packages/backend-onnx/test/{group-query,to-onnx}.node.test.ts",
        "packages/heed/test/bundle.node.test.ts",
        "packages/backend-webgpu/test/bundling.node.test.ts",
        "apps/docs/test/site.node.test.ts",
        "apps/bench/test/{gpu-clock,gpu-time.node}.test.ts",
        "test/!(polling).node.test.ts",
      ]
    : [];

/** Files named `*.places.*` take long: they run with `HEED_TEST_SCOPE=places` or `all`. */
const tooLong = ["places", "all"].includes(env.HEED_TEST_SCOPE) ? [] : ["**/*.places.*test.ts"];
/** Files named `*.all.*` need a network or try what changes rarely: they run with `all` alone. */
const onlyInAll = env.HEED_TEST_SCOPE === "all" ? [] : ["**/*.all.*test.ts"];

/**
 * Files share a worker, or a page, and its modules: with ones of their own, importing took a quarter of all time
 * in Node, and opening pages most of it in browsers. What a file changes for everybody (globals, spies, timers) it
 * changes back, and it disposes its backends. `--isolate` and `--browser.isolate` run each file alone again.
 */
const together = { isolate: false, testTimeout: 180_000, hookTimeout: 180_000 };

const node: TestProjectConfiguration = {
  resolve: { conditions: [...source, ...defaultClientConditions] },
  ssr: { resolve: { conditions: [...source, ...defaultServerConditions] } },
  test: {
    name: "node",
    environment: "node",
    include: tests,
    exclude: [
      ...["**/*.browser.test.ts", "**/*.alone.*test.ts"],
      ...[...independentOfEngine, ...tooLong, ...onlyInAll],
    ],
    env,
    setupFiles: ["tools/test/polling.js"],
    ...together,
  },
};

/** Files named `*.alone.node.test.ts` replace modules, or need a process where nothing has been loaded before. */
const alone: TestProjectConfiguration = {
  ...node,
  test: {
    ...node.test,
    name: "alone",
    include: tests.map((pattern) => pattern.replace("*.test.ts", "*.alone.node.test.ts")),
    exclude: [],
    isolate: true,
  },
};

/** The template shows how a backend starts; backend-js is what browsers test plain JavaScript with. */
const testedInNode = env.HEED_TEST_SCOPE === "all" ? [] : ["templates/**"];

const browser: TestProjectConfiguration = {
  resolve: { conditions: [...source, ...defaultClientConditions] },
  server: {
    // Cross-origin isolation, without which there is no SharedArrayBuffer.
    headers: {
      "Cross-Origin-Opener-Policy": "same-origin",
      "Cross-Origin-Embedder-Policy": "require-corp",
    },
  },
  test: {
    name: "browser",
    include: tests,
    exclude: ["**/*.node.test.ts", ...testedInNode, ...tooLong, ...onlyInAll],
    env,
    ...together,
    browser: {
      enabled: true,
      isolate: together.isolate,
      headless: true,
      screenshotFailures: false,
      provider: playwright({
        launchOptions: {
          executablePath: chromium,
          args: [
            "--no-sandbox",
            "--enable-unsafe-webgpu",
            "--use-webgpu-adapter=swiftshader",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-quic",
            "--no-first-run",
          ],
        },
      }),
      instances: [{ browser: "chromium" }],
    },
  },
};

function projects(): TestProjectConfiguration[] {
  if (existsSync(chromium)) return [node, alone, browser];
  const message = `no chromium at ${chromium}: install it, or name another with CHROMIUM_PATH`;
  if (required.includes("chromium")) throw new Error(message);
  console.warn(`tests in the browser are skipped: ${message}`);
  return [node, alone];
}

export default defineConfig({
  test: {
    projects: projects(),
    // Two workers on two cores, where vitest would take one: a worker waits now and then for a device or a
    // child process.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    sequence: { sequencer: AffectedFirst },
    reporters: ["default", new TimesReporter(process.env.HEED_TEST_REPORT)],
  },
});
