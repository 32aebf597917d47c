import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
// @ts-expect-error a script without types
import { cacheBugs } from "../tools/mutants/cache-bugs.js";
// @ts-expect-error a script without types
import { draw } from "../tools/mutants/draw.js";
// @ts-expect-error a script without types
import { lineMutants } from "../tools/mutants/text.js";

const changes = (line: string): string[] =>
  lineMutants(line).map(({ changed }: { changed: string }) => changed);

test("each bug that was chosen is where the code is now", () => {
  for (const { file, from, to } of cacheBugs as readonly Record<"file" | "from" | "to", string>[]) {
    const text = readFileSync(join(dirname(import.meta.dirname), file), "utf8");
    expect(text.split(from).length, `${file}: ${from}`).toBe(2);
    expect(to).not.toBe(from);
  }
});

test("the same seed draws the same mutants, each once", () => {
  const all = Array.from({ length: 50 }, (_, i) => i);
  expect(draw(all, 20, 7)).toEqual(draw(all, 20, 7));
  expect(draw(all, 20, 7)).not.toEqual(draw(all, 20, 8));
  expect([...draw(all, 99, 1)].sort((a, b) => a - b)).toEqual(all);
});

test("operators, bounds, constants and statements are changed", () => {
  expect(changes("  for (let r = 0; r < rows; r += 4) {")).toEqual([
    "  for (let r = 0; r <= rows; r += 4) {",
    "  for (let r = 0; r >= rows; r += 4) {",
    "  for (let r = 0; r < rows; r -= 4) {",
    "  for (let r = 1; r < rows; r += 4) {",
    "  for (let r = 0; r < rows; r += 5) {",
  ]);
  expect(changes("  sum = f32x4.add(sum, x);")).toEqual(["  sum = f32x4.sub(sum, x);", ""]);
  expect(changes("  let m = max(a, b) * 2u;")).toEqual([
    "  let m = max(a, b) + 2u;",
    "  let m = min(a, b) * 2u;",
    "  let m = max(a, b) * 3u;",
  ]);
});

test("what computes nothing, and what only looks like an operator, is left alone", () => {
  for (const line of [
    "// a < b",
    " * x + y",
    'import { a } from "b";',
    "  return load<i32>(p);",
    "@group(0) @binding(1) var<storage, read> query: array<f32>;",
    "}",
    "",
  ]) {
    expect(changes(line), line).toEqual([]);
  }
});
