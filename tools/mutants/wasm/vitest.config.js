/** Tests of the package, with the modules of a mutant: `HEED_MUTANTS_MODULES` is the file that stands in for the source. */
import { readFileSync } from "node:fs";
import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";
import { BaseSequencer } from "vitest/node";

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

const files = process.env.HEED_MUTANTS_TESTS.split(",");

/** Runs the files in the order in which they are given, not the longest first. */
class InOrder extends BaseSequencer {
  async sort(specifications) {
    const placeOf = ({ moduleId }) => files.findIndex((file) => moduleId.endsWith(file));
    return [...specifications].sort((a, b) => placeOf(a) - placeOf(b));
  }
}

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
    include: files,
    sequence: { sequencer: InOrder },
    isolate: false,
    fileParallelism: false,
    bail: 1,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    env: { HEED_REQUIRE: "", HEED_TEST_SCOPE: "" },
    setupFiles: ["tools/test/polling.js"],
  },
});
