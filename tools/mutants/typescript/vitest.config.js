/** Tests of sources with mutants in them: `HEED_MUTANTS_TASK` is the file that says which. */
import { readFileSync } from "node:fs";
import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";

const { files, tests } = JSON.parse(readFileSync(process.env.HEED_MUTANTS_TASK, "utf8"));
const conditions = ["source", ...defaultServerConditions];

export default defineConfig({
  plugins: [
    {
      name: "heed-mutants",
      enforce: "pre",
      load: (id) => files[id.split("?")[0]] ?? null,
    },
  ],
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: tests,
    exclude: [],
    runner: "tools/mutants/typescript/runner.js",
    isolate: false,
    fileParallelism: false,
    testTimeout: 0,
    hookTimeout: 0,
    dangerouslyIgnoreUnhandledErrors: true,
    env: { HEED_REQUIRE: "", HEED_TEST_SCOPE: "" },
    setupFiles: ["tools/test/polling.js"],
    sequence: { sequencer: InOrder() },
  },
});

/** Files in the order in which they are listed. */
function InOrder() {
  return class {
    shard = (specifications) => specifications;
    sort = (specifications) =>
      [...specifications].sort((a, b) => placeOf(a.moduleId) - placeOf(b.moduleId));
  };
}

function placeOf(path) {
  return tests.findIndex((test) => path.endsWith(test));
}
