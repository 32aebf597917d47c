/** An application in webpack's files: `.ci/run` installs webpack and says where. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { bundledBy } from "./bundled.js";
import { removeBundles, webpackPath } from "./bundles.js";
import { closeBrowsers } from "./page.js";

const built = existsSync(fileURLToPath(new URL("../dist/index.js", import.meta.url)));
afterAll(() => Promise.all([removeBundles(), closeBrowsers()]));

bundledBy("webpack", built && webpackPath !== undefined);

test.runIf((process.env.HEED_REQUIRE ?? "").split(",").includes("webpack"))(
  "webpack is here",
  () => {
    expect(webpackPath).toBeDefined();
  },
);
