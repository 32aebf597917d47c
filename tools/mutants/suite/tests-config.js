/** Vitest's configuration for a package's tests that judge mutants: see package-tests.js. */
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

/**
 * @param {object} planting
 * @param {object[]} [planting.plugins] Vite's, which change modules
 * @param {string[]} [planting.setupFiles] run before each file
 */
export const testsConfig = ({ plugins = [], setupFiles = [] }) =>
  defineConfig({
    plugins,
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
      setupFiles: ["tools/test/polling.js", ...setupFiles],
    },
  });
