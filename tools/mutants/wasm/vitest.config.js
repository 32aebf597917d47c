/** Tests of the package with the modules of a mutant: `HEED_MUTANTS_MODULES` is the file that stands in for the source. */
import { readFileSync } from "node:fs";
import { testsConfig } from "../suite/tests-config.js";

export default testsConfig({
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
});
