import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
// @ts-expect-error a script without types
import { markdownFiles } from "../tools/packed/snippets.js";

/** Links that start with a slash are those of the site's own pages: `apps/docs/tools/check.js` follows them. */
test("links of READMEs and docs lead to files that exist", () => {
  const files: readonly string[] = markdownFiles(".");
  expect(files).toContain("docs/kernels/wasm.md");
  const broken = files.flatMap((file) =>
    [...readFileSync(file, "utf8").matchAll(/\]\((?!https?:|#|\/)([^)#\s]+)(?:#[^)]*)?\)/g)]
      .map((match) => match[1] as string)
      .filter((link) => !existsSync(join(dirname(file), link)))
      .map((link) => `${file}: ${link}`),
  );
  expect(broken).toEqual([]);
});
