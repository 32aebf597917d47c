import { existsSync } from "node:fs";
import { playwright } from "@vitest/browser-playwright";
import { defaultClientConditions, defaultServerConditions } from "vite";
import { defineConfig, type TestProjectConfiguration } from "vitest/config";

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
  "templates/*/test/**/*.test.ts",
  "test/**/*.test.ts",
];

/** What tests are told, in Node and in browsers. */
const env = {
  HEED_REQUIRE: process.env.HEED_REQUIRE ?? "",
  HEED_ALL_VARIATIONS: process.env.HEED_ALL_VARIATIONS ?? "",
};

/** Names that must be present: a backend (`js`, …), `chromium`, a GPU's feature. Absent ones then fail. */
const required = env.HEED_REQUIRE.split(",").filter(Boolean);
const chromium = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";

/**
 * WebGPU in Node needs a Vulkan driver. A machine without one has it where chromium is: SwiftShader,
 * and the loader beside it. Test processes inherit this.
 */
const swiftShader = "/usr/lib/chromium/vk_swiftshader_icd.json";
if (existsSync(swiftShader) && process.env.VK_DRIVER_FILES === undefined) {
  process.env.VK_DRIVER_FILES = swiftShader;
  process.env.LD_LIBRARY_PATH ??= "/usr/lib/chromium";
  process.env.XDG_RUNTIME_DIR ??= "/tmp";
}

/**
 * What asks whether the suite is strong enough and explains itself, and a GPU's kernels under other limits,
 * does not depend on Node's version or on how the packages were built, and takes minutes. Runs that repeat
 * the tests for those set `HEED_TEST_REPEAT=1`.
 */
const once =
  process.env.HEED_TEST_REPEAT === "1"
    ? [
        "**/{mutants,explain}.node.test.ts",
        "**/backend-webgpu/test/{conformance-devices,conformance-kernels.node,limits.node}.test.ts",
      ]
    : [];

const node: TestProjectConfiguration = {
  resolve: { conditions: [...source, ...defaultClientConditions] },
  ssr: { resolve: { conditions: [...source, ...defaultServerConditions] } },
  test: {
    name: "node",
    environment: "node",
    include: tests,
    exclude: ["**/*.browser.test.ts", ...once],
    env,
    testTimeout: 60_000,
  },
};

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
    exclude: ["**/*.node.test.ts"],
    env,
    testTimeout: 60_000,
    browser: {
      enabled: true,
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
  if (existsSync(chromium)) return [node, browser];
  const message = `no chromium at ${chromium}: install it, or name another with CHROMIUM_PATH`;
  if (required.includes("chromium")) throw new Error(message);
  console.warn(`tests in the browser are left out: ${message}`);
  return [node];
}

/** A file to leave the counts in, for `.ci/run`. */
const report = process.env.HEED_TEST_REPORT;

export default defineConfig({
  test: {
    projects: projects(),
    reporters: report ? ["default", ["json", { outputFile: report }]] : ["default"],
  },
});
