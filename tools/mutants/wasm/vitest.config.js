/** Tests of the package, with the modules of a mutant: `HEED_MUTANTS_MODULES` is the file that stands in for the source. */
import { readFileSync } from "node:fs";
import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";

// Whoever asked may be gone: a process that is killed tells nobody.
const parent = process.env.HEED_MUTANTS_PARENT;
const timer = setInterval(() => {
  try {
    if (parent !== undefined) process.kill(Number(parent), 0);
  } catch {
    process.exit(1);
  }
}, 2000);
timer.unref();

const conditions = ["source", ...defaultServerConditions];

export default defineConfig({
  plugins: [
    {
      name: "heed-mutants",
      enforce: "pre",
      load: (id) =>
        id.endsWith("/backend-wasm/src/generated/modules.ts")
          ? readFileSync(process.env.HEED_MUTANTS_MODULES, "utf8")
          : null,
    },
  ],
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: process.env.HEED_MUTANTS_TESTS.split(","),
    isolate: false,
    fileParallelism: false,
    bail: 1,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    env: { HEED_REQUIRE: "", HEED_TEST_SCOPE: "" },
    setupFiles: ["tools/test/polling.js"],
  },
});
