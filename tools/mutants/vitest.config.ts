/** The tests of one package in Node, for Stryker: `HEED_MUTANTS_OF` names it. */
import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["source", ...defaultServerConditions] },
  ssr: { resolve: { conditions: ["source", ...defaultServerConditions] } },
  test: {
    include: [`packages/${process.env.HEED_MUTANTS_OF}/test/**/*.test.ts`],
    exclude: ["**/*.browser.test.ts", "**/*.places.*"],
    testTimeout: 60_000,
  },
});
