/** The pictures of the guide page on programs are those that the masks give: `vitest -u` writes them anew. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
// @ts-expect-error a script without types
import { maskPictures } from "../tools/mask-pictures.js";

const pictures: Readonly<Record<string, string>> = maskPictures();
const at = (path: string): string =>
  fileURLToPath(new URL(`../docs/guides/${path}`, import.meta.url));

test.each(Object.entries(pictures))("the picture of %s", async (name, picture) => {
  await expect(picture).toMatchFileSnapshot(at(`masks/${name}.svg`));
});

test("the page shows all of them", () => {
  const page = readFileSync(at("masks-and-scores-as-programs.md"), "utf8");
  const missing = Object.keys(pictures).filter((name) => !page.includes(`masks/${name}.svg`));
  expect(missing).toEqual([]);
});
