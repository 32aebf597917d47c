import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
// @ts-expect-error a script without types
import { generate } from "../tools/ceiling-modules.js";

test("the assembled modules are what their source says", async () => {
  const file = new URL("../src/ceiling/generated/modules.ts", import.meta.url);
  expect(await readFile(file, "utf8")).toBe(await generate());
});
