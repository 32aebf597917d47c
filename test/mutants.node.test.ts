import { expect, test } from "vitest";
// @ts-expect-error a script without types
import { draw } from "../tools/mutants/draw.js";
// @ts-expect-error a script without types
import { lineMutants } from "../tools/mutants/text.js";

const changes = (line: string): string[] =>
  lineMutants(line).map(({ changed }: { changed: string }) => changed);

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
