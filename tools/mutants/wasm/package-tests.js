// The package's own tests, which judge by threads, parts of keys, errors in units of the last place, and numbers that have to
// be exact.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { modulesText } from "../../../packages/backend-wasm/build/modules-text.js";

/** @type {import("../suite/package-tests.js").JudgingTests} */
export const packageTests = {
  folder: "packages/backend-wasm/test",
  // Tests of the suite, which has been asked; of packaging; of how modules are chosen, loaded and ended; and of what TypeScript
  // decides.
  others:
    /^(baseline|relaxed|packaging|teardown|trap|variants\.node|options|allocator|plan|host-keys)\./,
  config: "tools/mutants/wasm/vitest.config.js",
  /** @param {Record<string, Buffer>} modules by build */
  environment: (directory, modules) => {
    const path = join(directory, "modules.ts");
    writeFileSync(path, modulesText(modules).text);
    return { HEED_MUTANTS_MODULES: path };
  },
};
