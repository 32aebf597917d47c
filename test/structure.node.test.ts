import { expect, test } from "vitest";
// @ts-expect-error a script without types
import { circles, importsOf, sourceFiles } from "../tools/check-structure.js";

test("circles of imports are found whole, and chains are none", () => {
  const graph = new Map([
    ["a", ["b", "outside"]],
    ["b", ["c"]],
    ["c", ["a", "d"]],
    ["d", ["e"]],
    ["e", ["f"]],
    ["f", []],
    ["g", ["h", "a"]],
    ["h", ["g"]],
  ]);
  const found = circles(graph).map((group: string[]) => group.sort());
  expect(found).toEqual([
    ["a", "b", "c"],
    ["g", "h"],
  ]);
});

test("imports, re-exports and types are read from the sources", () => {
  const files: string[] = sourceFiles(process.cwd());
  const index = files.find((file) => file.endsWith("packages/core/src/index.ts")) as string;
  const imports: readonly string[] = importsOf(files).get(index);
  expect(imports.length).toBeGreaterThan(10);
  expect(imports.map((file) => file.slice(process.cwd().length + 1))).toContain(
    "packages/core/src/errors.ts",
  );
  expect(files.some((file) => file.includes("/test/") || file.includes("/generated/"))).toBe(false);
});
