import { InvalidInputError, tensor, zeros } from "@heed/core";
import { causal, document, prefixLM, slidingWindow } from "@heed/core/masks";
import {
  add,
  and,
  createBlockMask,
  equal,
  floorDivide,
  less,
  lessEqual,
  maskMod,
  multiply,
  remainder,
  scoreMod,
  subtract,
} from "@heed/core/program";
import { describe, expect, test } from "vitest";

const square = (length: number, block: number) => ({
  queryLength: length,
  keyLength: length,
  queryBlock: block,
  keyBlock: block,
});

test("a causal mask at 65,536 × 65,536 is a few runs", () => {
  const blocks = createBlockMask(causal(), { batch: 4, heads: 32, ...square(65_536, 128) });
  expect(blocks.shape).toEqual([1, 1, 512, 512]);
  expect(blocks.counts).toEqual({ empty: 130_816, partial: 512, full: 130_816 });
  // A run of full blocks and a partial one in each row but the first.
  expect(blocks.rows.first.length).toBe(1023);
  expect(blocks.columns.first.length).toBe(1023);
});

test("documents of 65,536 tokens", () => {
  const ids = Int32Array.from({ length: 65_536 }, (_, i) => Math.floor(i / 8192));
  const mask = maskMod(and(causal(), document(tensor(ids, [1, 65_536]))));
  const { counts } = createBlockMask(mask, { batch: 1, ...square(65_536, 128) });
  expect(counts).toEqual({ empty: 262_144 - 512 - 8 * 2016, partial: 512, full: 8 * 2016 });
});

test("what intervals cannot tell is evaluated", () => {
  // q · q grows beyond what intervals relate to q; every value is a square, none of which is 3 modulo 4.
  const squares = maskMod(({ query }) => equal(remainder(multiply(query, query), 4), 3));
  expect(createBlockMask(squares, square(64, 16)).counts).toEqual({
    empty: 16,
    partial: 0,
    full: 0,
  });
  const stripes = maskMod(({ query, key }) => equal(remainder(add(query, key), 2), 0));
  expect(createBlockMask(stripes, square(64, 16)).counts).toEqual({
    empty: 0,
    partial: 16,
    full: 0,
  });
  expect(createBlockMask(stripes, square(3, 1)).counts).toEqual({ empty: 4, partial: 0, full: 5 });
});

test("rows, columns and data say the same", () => {
  const window = slidingWindow({ left: 3, right: 1 });
  const blocks = createBlockMask(window, {
    queryLength: 19,
    keyLength: 11,
    queryBlock: 4,
    keyBlock: 2,
  });
  const [, , queries, keys] = blocks.shape;
  expect([queries, keys]).toEqual([5, 6]);
  const seenBy = ({ starts, first, end }: typeof blocks.rows, line: number) =>
    Array.from({ length: (starts[line + 1] as number) - (starts[line] as number) }, (_, n) => {
      const run = (starts[line] as number) + n;
      return [first[run] as number, end[run] as number];
    });
  const seen = (runs: typeof blocks.rows, line: number, at: number) =>
    seenBy(runs, line).some(([first = 0, end = 0]) => first <= at && at < end);
  for (let q = 0; q < queries; q++)
    for (let k = 0; k < keys; k++) {
      const expected = blocks.kind(0, 0, q, k) !== "empty";
      expect(seen(blocks.rows, q, k)).toBe(expected);
      expect(seen(blocks.columns, k, q)).toBe(expected);
      expect(blocks.mask.data[q * keys + k]).toBe(expected ? 1 : 0);
    }
});

describe("positions", () => {
  const kinds = (options: object) => {
    const blocks = createBlockMask(causal(), {
      queryLength: 4,
      keyLength: 8,
      queryBlock: 2,
      keyBlock: 2,
      batch: 2,
      ...options,
    });
    return Array.from({ length: blocks.shape[0] }, (_, b) =>
      [0, 1].map((q) => [0, 1, 2, 3].map((k) => blocks.kind(b, 0, q, k)[0]).join("")).join("/"),
    );
  };

  test("offsets", () => {
    expect(kinds({})).toEqual(["peee/fpee"]);
    expect(kinds({ queryOffset: 4 })).toEqual(["ffpe/fffp"]);
    expect(kinds({ queryOffset: "bottom-right" })).toEqual(["ffpe/fffp"]);
    expect(kinds({ queryOffset: -3 })).toEqual(["eeee/peee"]);
    expect(kinds({ queryOffset: [0, 4] })).toEqual(["peee/fpee", "ffpe/fffp"]);
  });

  test("as data", () => {
    const queryPositions = tensor(Int32Array.of(7, 6, 0, 0), [1, 4]);
    expect(kinds({ queryPositions })).toEqual(["fffp/peee"]);
    const keyPositions = tensor(
      Int32Array.of(9, 9, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 9, 9),
      [2, 8],
    );
    expect(kinds({ keyPositions })).toEqual(["effp/effp", "fffe/fffe"]);
    expect(kinds({ queryPositions, keyPositions })).toEqual(["efff/effp", "fffe/fffe"]);
  });
});

test("empty calls have no blocks, or empty ones", () => {
  expect(createBlockMask(causal(), square(0, 4)).counts).toEqual({ empty: 0, partial: 0, full: 0 });
  expect(createBlockMask(causal(), { ...square(4, 4), queryLength: 0 }).shape).toEqual([
    1, 1, 0, 1,
  ]);
  const never = maskMod(({ query }) => less(query, query));
  expect(createBlockMask(never, square(8, 4)).counts).toEqual({ empty: 4, partial: 0, full: 0 });
});

test("each batch entry and head where the program tells them apart", () => {
  const mask = maskMod(({ head, query, key }) =>
    lessEqual(subtract(query, key), multiply(head, 4)),
  );
  const blocks = createBlockMask(mask, { batch: 3, heads: 2, ...square(8, 4) });
  expect(blocks.shape).toEqual([1, 2, 2, 2]);
  expect(blocks.kind(2, 0, 1, 0)).toBe("empty");
  expect(blocks.kind(2, 1, 1, 0)).toBe("partial");
  const perBatch = createBlockMask(prefixLM(tensor(Int32Array.of(0, 8), [2])), {
    batch: 2,
    ...square(8, 4),
  });
  expect([0, 1].map((b) => perBatch.kind(b, 0, 0, 1))).toEqual(["empty", "full"]);
  const blocked = maskMod(({ query, key }) => equal(floorDivide(query, 4), floorDivide(key, 4)));
  expect(createBlockMask(blocked, square(16, 4)).counts).toEqual({
    empty: 12,
    partial: 0,
    full: 4,
  });
});

test.each<[string, () => unknown]>([
  ["maskMod", () => createBlockMask(scoreMod(1) as never, square(4, 4))],
  ["maskMod", () => createBlockMask((() => true) as never, square(4, 4))],
  ["options", () => createBlockMask(causal(), null as never)],
  [
    "options.blockSize",
    () => createBlockMask(causal(), { ...square(4, 4), blockSize: 3 } as never),
  ],
  ["queryLength", () => createBlockMask(causal(), { keyLength: 3 } as never)],
  ["keyLength", () => createBlockMask(causal(), { queryLength: 3, keyLength: -1 })],
  ["queryBlock", () => createBlockMask(causal(), { ...square(4, 4), queryBlock: 0 })],
  ["keyBlock", () => createBlockMask(causal(), { ...square(4, 4), keyBlock: 1.5 })],
  ["batch", () => createBlockMask(causal(), { ...square(4, 4), batch: -1 })],
  ["queryOffset", () => createBlockMask(causal(), { ...square(4, 4), queryOffset: 0.5 })],
  ["queryOffset", () => createBlockMask(causal(), { ...square(4, 4), queryOffset: [1, 2] })],
  [
    "queryOffset",
    () =>
      createBlockMask(causal(), {
        ...square(4, 4),
        queryOffset: 0,
        queryPositions: zeros("int32", [1, 4]),
      }),
  ],
  [
    "keyPositions",
    () => createBlockMask(causal(), { ...square(4, 4), keyPositions: zeros("int32", [1, 3]) }),
  ],
])("%s is at fault", (argument, run) => {
  let caught: unknown;
  try {
    run();
  } catch (error) {
    caught = error;
  }
  expect(caught).toBeInstanceOf(InvalidInputError);
  expect((caught as InvalidInputError).argument).toBe(argument);
});
