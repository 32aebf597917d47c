import { expect, test } from "vitest";
import { TableRanges } from "../../src/program/table-ranges.js";

type Shape = readonly number[];
const count = (shape: Shape) => shape.reduce((a, b) => a * b, 1);
const nothing = () => ({ lo: Number.POSITIVE_INFINITY, hi: Number.NEGATIVE_INFINITY });

/** Numbers without a pattern, the same each time. */
function* numbers(): Generator<number> {
  for (let state = 1; ; ) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    yield (state >>> 8) / 2 ** 24;
  }
}
const random = numbers();
const upTo = (most: number) => Math.floor((random.next().value as number) * (most + 1));

/** The range of the elements of a box, by looking at each. */
function rangeOf(data: ArrayLike<number>, shape: Shape, from: Shape, to: Shape) {
  const range = nothing();
  for (let at = 0; at < count(shape); at++) {
    let rest = at;
    let isInside = true;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const index = rest % (shape[axis] as number);
      rest = Math.floor(rest / (shape[axis] as number));
      if (index < (from[axis] as number) || index > (to[axis] as number)) isInside = false;
    }
    const value = data[at] as number;
    if (!isInside || Number.isNaN(value)) continue;
    range.lo = Math.min(range.lo, value);
    range.hi = Math.max(range.hi, value);
  }
  return range;
}

test.each([[[1]], [[50]], [[7, 40]], [[40, 7]], [[5, 3, 20]], [[3, 20, 1]], [[2, 3, 4, 18]]])(
  "boxes of a table of %j have the range of their elements",
  (shape) => {
    const data = Float32Array.from({ length: count(shape) }, (_, at) =>
      at % 11 === 3 ? Number.NaN : upTo(1000) - 500,
    );
    const table = new TableRanges({ dtype: "float32", shape, data } as never);
    for (let n = 0; n < 150; n++) {
      const ends = shape.map((size) => [upTo(size - 1), upTo(size - 1)].sort((a, b) => a - b));
      const [from, to] = [0, 1].map((end) => ends.map((pair) => pair[end] as number)) as [
        number[],
        number[],
      ];
      // All lines but the last axis that is longer than one.
      const counts = ends
        .map(([a, b]) => (b as number) - (a as number) + 1)
        .filter((size) => size > 1);
      const isWhole = count(counts.slice(0, -1)) > 64;
      const range = nothing();
      table.include(range, from, to);
      const whole = shape.map((size) => size - 1);
      expect([from, to, range]).toEqual([
        from,
        to,
        isWhole
          ? rangeOf(
              data,
              shape,
              whole.map(() => 0),
              whole,
            )
          : rangeOf(data, shape, from, to),
      ]);
      // A range is widened, not replaced.
      const wide = { lo: -1e6, hi: 1e6 };
      table.include(wide, from, to);
      expect(wide).toEqual({ lo: -1e6, hi: 1e6 });
    }
  },
);

test("bools are 0 and 1, and NaN is told of floats alone", () => {
  const bools = new TableRanges({
    dtype: "bool",
    shape: [3],
    data: Uint8Array.of(0, 2, 255),
  } as never);
  const range = nothing();
  bools.include(range, [1], [2]);
  expect(range).toEqual({ lo: 1, hi: 1 });
  expect(bools.hasNaN).toBe(false);
  const floats = (...data: number[]) =>
    new TableRanges({
      dtype: "float32",
      shape: [data.length],
      data: Float32Array.from(data),
    } as never);
  expect(floats(1, Number.NaN).hasNaN).toBe(true);
  expect(floats(1, 2).hasNaN).toBe(false);
});

test.each([
  [2 ** 20, { lo: 3, hi: 20 }],
  [2 ** 20 + 1, { lo: 0, hi: 2 ** 20 }],
])("lines of up to 2^20 elements are kept: %i", (length, expected) => {
  const data = Float32Array.from({ length }, (_, at) => at);
  const table = new TableRanges({ dtype: "float32", shape: [length], data } as never);
  const range = nothing();
  table.include(range, [3], [20]);
  expect(range).toEqual(expected);
  const piece = nothing();
  table.include(piece, [3], [18]);
  expect(piece).toEqual({ lo: 3, hi: 18 });
});
