/** Everything that a call of attention may have wrong, with the whole of what its error says. */
import {
  type AttentionInputs,
  describeProblem,
  InvalidInputError,
  tensor,
  zeros,
} from "@heed/core";
import { describe, expect, test } from "vitest";
import { errorOf } from "./program/error-of.js";

const f32 = (...shape: number[]) => zeros("float32", shape);
const f64 = (...shape: number[]) => zeros("float64", shape);
const f16 = (...shape: number[]) => zeros("float16", shape);
const int8 = (...shape: number[]) => zeros("int8", shape);
const int32 = (values: readonly number[], ...shape: number[]) =>
  tensor(Int32Array.from(values), shape);
const bools = (...shape: number[]) => zeros("bool", shape);

/** Batch 2, 4 heads on 2, 3 queries, 5 keys, sizes 8 and 6. */
const plain = { query: f32(2, 4, 3, 8), key: f32(2, 2, 5, 8), value: f32(2, 2, 5, 6) };
const ragged = {
  ...{ query: f32(1, 4, 6, 8), key: f32(1, 2, 9, 8), value: f32(1, 2, 9, 6) },
  ...{ queryStarts: [0, 2, 6], keyStarts: [0, 4, 9] },
};
const paged = {
  ...{ query: f32(2, 4, 1, 8), key: f32(5, 2, 3, 8), value: f32(5, 2, 3, 6) },
  ...{ pageTable: int32([4, 0, 2, -1], 2, 2), kvLengths: [6, 3] },
};
const scaled = {
  ...{ query: plain.query, key: int8(2, 2, 5, 8), value: int8(2, 2, 5, 6) },
  ...{ keyScales: f32(2, 2, 5), valueScales: f32(2, 2, 5) },
};

type Wrong = readonly [argument: string, changes: object, expected: string, actual: string];

function refuses(name: string, base: object, wrong: readonly Wrong[]): void {
  describe(name, () => {
    test("is a call", () => {
      expect(describeProblem(base as AttentionInputs).operation).toBe("attention");
    });
    test.each(wrong)("%s: %j", (argument, changes, expected, actual) => {
      const error = errorOf(() => describeProblem({ ...base, ...changes } as AttentionInputs));
      expect(error).toBeInstanceOf(InvalidInputError);
      expect([error.argument, error.expected, error.actual]).toEqual([argument, expected, actual]);
    });
  });
}

const rank4 =
  "shape [batch, heads, length, headDim] (splitHeads and transpose make views of other layouts)";
const floats = "dtype float64, float32 or float16";
const padding =
  "a padding mask is [batch, 1, 1, keyLength]: paddingMask(mask) makes it from [batch, keyLength], paddingMask(lengths, keyLength) from lengths";
const broadcast =
  "rank 1 to 4, each axis from the right 1 or as in [batch, queryHeads, queryLength, keyLength] = [2, 4, 3, 5]";
const finite = "a number that is finite in float32";
const offset = (why: string) =>
  `where query row 0 sits on the key axis, since ${why} and causal, window or alibiSlopes need positions: 0 aligns the first query with the first key, "bottom-right" the last with the last`;

refuses("a plain call", plain, [
  ["query", { query: f32(4, 3, 8) }, rank4, "[4, 3, 8]"],
  ["key", { key: f32(2, 5, 8) }, rank4, "[2, 5, 8]"],
  ["value", { value: f32(2, 2, 5, 6, 1) }, rank4, "[2, 2, 5, 6, 1]"],
  ["query", { query: zeros("int32", [2, 4, 3, 8]) }, floats, "int32"],
  ["query", { query: int8(2, 4, 3, 8) }, floats, "int8"],
  ["key", { key: f64(2, 2, 5, 8) }, "the query's dtype float32, or float16, or int8", "float64"],
  ["key", { query: f64(2, 4, 3, 8) }, "the query's dtype float64", "float32"],
  ["key", { query: f16(2, 4, 3, 8) }, "the query's dtype float16, or int8", "float32"],
  ["value", { value: f16(2, 2, 5, 6) }, "the key's dtype float32", "float16"],
  ["key", { key: f32(1, 2, 5, 8) }, "the query's batch size 2", "1"],
  ["value", { value: f32(3, 2, 5, 6) }, "the query's batch size 2", "3"],
  ["key", { key: f32(2, 2, 5, 7) }, "the query's head size 8", "7"],
  ["value", { value: f32(2, 4, 5, 6) }, "the key's number of heads 2", "4"],
  ["value", { value: f32(2, 2, 4, 6) }, "the key's length 5", "4"],
  ["query", { query: f32(2, 3, 3, 8) }, "a number of heads that is a multiple of the key's 2", "3"],
  [
    "query",
    { key: f32(2, 0, 5, 8), value: f32(2, 0, 5, 6) },
    "a number of heads that is a multiple of the key's 0",
    "4",
  ],
  ["query", { query: f32(2, 4, 3, 0), key: f32(2, 2, 5, 0) }, "a head size of at least 1", "0"],
  ["value", { value: f32(2, 2, 5, 0) }, "a head size of at least 1", "0"],
  [
    "keyScales",
    { keyScales: f32(2, 2, 5) },
    "nothing beside keys and values of float32",
    "a value",
  ],
  [
    "valueScales",
    { valueScales: f32(2, 2, 5) },
    "nothing beside keys and values of float32",
    "a value",
  ],
  [
    "mask",
    { mask: f32(3, 5) },
    `dtype bool, true where a key may be attended to (what is added to the logits is a bias; ${padding})`,
    "float32",
  ],
  ["mask", { mask: bools(4) }, broadcast, "[4]"],
  ["mask", { mask: bools(7, 5) }, `${broadcast}; ${padding}`, "[7, 5]"],
  ["mask", { mask: bools(1, 7, 5) }, broadcast, "[1, 7, 5]"],
  ["mask", { mask: bools() }, broadcast, "[]"],
  ["mask", { mask: bools(1, 1, 1, 3, 5) }, broadcast, "[1, 1, 1, 3, 5]"],
  ["bias", { bias: bools(3, 5) }, "the query's dtype float32, or float32", "bool"],
  ["bias", { bias: f32(2, 5) }, broadcast, "[2, 5]"],
  ["bias", { bias: f32(3, 4, 3, 5) }, broadcast, "[3, 4, 3, 5]"],
  [
    "window.left",
    { window: { left: -1 } },
    "an integer from 0 to 2^31 − 1, or nothing for unbounded",
    "-1",
  ],
  [
    "window.right",
    { window: { right: 2 ** 31 } },
    "an integer from 0 to 2^31 − 1, or nothing for unbounded",
    "2147483648",
  ],
  [
    "window.right",
    { window: { right: 0.5 } },
    "an integer from 0 to 2^31 − 1, or nothing for unbounded",
    "0.5",
  ],
  ["window.size", { window: { size: 3 } }, "only left, right", '"size"'],
  ["window", { window: 3 }, "an object", "3"],
  ["alibiSlopes", { alibiSlopes: [1, 1] }, "4 values, one a query head", "2 of them"],
  ["alibiSlopes", { alibiSlopes: [1, 1, 1, "1"] }, "numbers, one a query head", '"1"'],
  ["alibiSlopes", { alibiSlopes: [1, 1, 1, 1e39] }, `${finite} for each head`, "1e+39"],
  ["alibiSlopes", { alibiSlopes: [1, 1, 1, -Infinity] }, `${finite} for each head`, "-Infinity"],
  ["sinks", { sinks: [0, 0, Infinity, 0] }, `${finite} for each head, or −∞`, "Infinity"],
  ["sinks", { sinks: f32(4, 1) }, "shape [queryHeads]", "[4, 1]"],
  ["sinks", { sinks: zeros("int32", [4]) }, floats, "int32"],
  [
    "sinks",
    { sinks: Int32Array.of(1, 1, 1, 1) },
    "a host tensor of shape [queryHeads], a Float32Array, a Float64Array or an array of numbers",
    "Int32Array of 4",
  ],
  [
    "sinks",
    { sinks: 1 },
    "a host tensor of shape [queryHeads], a Float32Array, a Float64Array or an array of numbers",
    "1",
  ],
  ["scale", { scale: 1e39 }, finite, "1e+39"],
  ["scale", { scale: "1" }, finite, '"1"'],
  ["softcap", { softcap: -1 }, `${finite} > 0, or nothing for no cap`, "-1"],
  ["softcap", { softcap: 1e-60 }, `${finite} > 0, or nothing for no cap`, "1e-60"],
  ["returns.scores", { returns: { scores: "masked" } }, '"raw", "capped" or "biased"', '"masked"'],
  ["returns.logSumExp", { returns: { logSumExp: 1 } }, "a boolean", "1"],
  ["returns.weights", { returns: { weights: "yes" } }, "a boolean", '"yes"'],
  ["causal", { causal: 1 }, "a boolean", "1"],
  ["returns", { returns: 1 }, "an object", "1"],
  ["window", { window: true }, "an object", "true"],
  ["returns.lse", { returns: { lse: true } }, "only logSumExp, weights, scores", '"lse"'],
  [
    "queryOffset",
    { causal: true },
    offset("the query's length 3 differs from the key's 5"),
    "undefined",
  ],
  [
    "queryOffset",
    { window: { left: 2 }, kvLengths: [5, 5] },
    offset("kvLengths is given"),
    "undefined",
  ],
  ["queryOffset", { causal: true, queryOffset: 2 ** 31 }, "a 32-bit signed integer", "2147483648"],
  [
    "queryOffset",
    { causal: true, queryOffset: "top" },
    'an integer, "bottom-right", or an Int32Array, one a batch',
    '"top"',
  ],
  [
    "queryOffset",
    { causal: true, queryOffset: Float32Array.of(1, 2) },
    'an integer, "bottom-right", or an Int32Array, one a batch',
    "Float32Array of 2",
  ],
  ["queryOffset", { causal: true, queryOffset: [1] }, "2 integers, one a batch", "1 of them"],
  ["queryOffset", { causal: true, queryOffset: [1, 0.5] }, "32-bit signed integers", "0.5"],
  [
    "queryOffset",
    { causal: true, queryOffset: 1, keyPositions: int32([0, 1, 2, 3, 4], 1, 5) },
    "nothing beside queryPositions or keyPositions",
    "1",
  ],
  ["kvLengths", { kvLengths: 5 }, "an Int32Array, one a batch", "5"],
  ["kvLengths", { kvLengths: [5] }, "2 integers, one a batch", "1 of them"],
  ["kvLengths", { kvLengths: [5, 6] }, "lengths from 0 to the key's length 5", "6"],
  ["kvLengths", { kvLengths: [-1, 5] }, "lengths from 0 to the key's length 5", "-1"],
  ["queryPositions", { queryPositions: f32(2, 3) }, "dtype int32 of shape [2 or 1, 3]", "float32"],
  ["queryPositions", { queryPositions: int32([1, 2, 3], 3) }, "shape [2 or 1, 3]", "[3]"],
  ["queryPositions", { queryPositions: int32([1, 2], 1, 2) }, "shape [2 or 1, 3]", "[1, 2]"],
  [
    "keyPositions",
    { keyPositions: int32(new Array(15).fill(0), 3, 5) },
    "shape [2 or 1, 5]",
    "[3, 5]",
  ],
  [
    "queryStarts",
    { keyStarts: [0, 5] },
    "the starts of the queries, since keyStarts is given",
    "undefined",
  ],
  [
    "query",
    { queryStarts: [0, 3], keyStarts: [0, 5] },
    "a batch of 1, since queryStarts is given",
    "2",
  ],
]);

refuses("keys and values of int8", scaled, [
  ["keyScales", { keyScales: f64(2, 2, 5) }, "dtype float32", "float64"],
  [
    "keyScales",
    { keyScales: f32(2, 2, 4) },
    "one scale for each row of the key, [2, 2, 5]",
    "[2, 2, 4]",
  ],
  [
    "keyScales",
    { keyScales: f32(1, 2, 5) },
    "one scale for each row of the key, [2, 2, 5]",
    "[1, 2, 5]",
  ],
  [
    "valueScales",
    { valueScales: f32(2, 2, 5, 1) },
    "one scale for each row of the value, [2, 2, 5]",
    "[2, 2, 5, 1]",
  ],
]);

refuses("a ragged batch", ragged, [
  [
    "keyStarts",
    { keyStarts: undefined },
    "the starts of the keys (or a pageTable), since queryStarts is given",
    "undefined",
  ],
  [
    "keyStarts",
    { pageTable: int32([0, 0], 2, 1), kvLengths: [1, 1] },
    "nothing beside pageTable, in which each sequence has its own keys",
    "[0, 4, 9]",
  ],
  [
    "queryStarts",
    { queryStarts: "0" },
    "an Int32Array, an array of integers or an int32 host tensor, [sequences + 1]",
    '"0"',
  ],
  ["queryStarts", { queryStarts: [] }, "at least one integer, 0", "0 of them"],
  ["queryStarts", { queryStarts: [1, 2, 6] }, "a first start of 0", "1"],
  ["queryStarts", { queryStarts: [0, 2, 5] }, "a last start of 6, the query rows", "5"],
  ["queryStarts", { queryStarts: [0, 2.5, 6] }, "32-bit signed integers", "2.5"],
  ["queryStarts", { queryStarts: f32(3) }, "dtype int32 of shape [sequences + 1]", "float32"],
  ["queryStarts", { queryStarts: int32([0, 2, 6], 1, 3) }, "shape [sequences + 1]", "[1, 3]"],
  ["keyStarts", { keyStarts: [0, 9] }, "3 starts, as many as queryStarts has", "2 of them"],
  ["keyStarts", { keyStarts: [0, 10, 9] }, "starts that never fall, 10 or more at [2]", "9"],
  ["keyStarts", { keyStarts: [0, 4, 8] }, "a last start of 9, the keys", "8"],
  ["kvLengths", { kvLengths: [5, 5] }, "lengths from 0 to the 4 keys of sequence 0", "5"],
  ["kvLengths", { kvLengths: [4, -1] }, "lengths from 0 to the 5 keys of sequence 1", "-1"],
  ["queryOffset", { causal: true }, offset("queryStarts differ from keyStarts"), "undefined"],
  [
    "bias",
    { bias: f32(4, 6, 9) },
    "rank 1 to 4, as [1, queryHeads or 1, 1, 1] with 4 query heads: in a ragged batch it does not vary along lengths",
    "[4, 6, 9]",
  ],
  [
    "mask",
    { mask: bools(6, 1) },
    "rank 1 to 4, as [1, queryHeads or 1, 1, 1] with 4 query heads: in a ragged batch it does not vary along lengths",
    "[6, 1]",
  ],
  [
    "returns.weights",
    { returns: { weights: true } },
    "neither weights nor scores of a ragged batch",
    "true",
  ],
  [
    "returns.scores",
    { returns: { scores: "raw" } },
    "neither weights nor scores of a ragged batch",
    '"raw"',
  ],
  [
    "queryPositions",
    { queryPositions: int32(new Array(12).fill(0), 2, 6) },
    "shape [1, 6]",
    "[2, 6]",
  ],
]);

refuses("keys in pages", paged, [
  ["value", { value: f32(4, 2, 3, 6) }, "the key's number of pages 5", "4"],
  [
    "kvLengths",
    { kvLengths: undefined },
    "the number of keys of each sequence, since pageTable is given",
    "undefined",
  ],
  ["kvLengths", { kvLengths: [7, 3] }, "lengths from 0 to the key's length 6", "7"],
  [
    "pageTable",
    { pageTable: f32(2, 2) },
    "dtype int32 of shape [sequences, pagesOfOne]",
    "float32",
  ],
  [
    "pageTable",
    { pageTable: int32([0, 1, 2, 3], 4) },
    "shape [2, pagesOfOne], one row a sequence",
    "[4]",
  ],
  [
    "pageTable",
    { pageTable: int32([0, 1, 2], 3, 1) },
    "shape [2, pagesOfOne], one row a sequence",
    "[3, 1]",
  ],
  [
    "pageTable",
    { pageTable: int32([4, 0, 2, -1], 2, 2, 1) },
    "shape [2, pagesOfOne], one row a sequence",
    "[2, 2, 1]",
  ],
  [
    "pageTable",
    { pageTable: int32([4, 5, 2, -1], 2, 2) },
    "pages from 0 to 4 in the first 2 entries of sequence 0, which its length uses",
    "5 at [0, 1]",
  ],
  [
    "pageTable",
    { pageTable: int32([4, 0, -1, -1], 2, 2) },
    "pages from 0 to 4 in the first 1 entries of sequence 1, which its length uses",
    "-1 at [1, 0]",
  ],
]);

test("the ends of what is allowed are allowed", () => {
  const allowed: readonly object[] = [
    { window: { left: 0, right: 2 ** 31 - 1 }, queryOffset: -(2 ** 31) },
    { kvLengths: [0, 5] },
    { sinks: [-Infinity, 0, 1, 3e38] },
    { alibiSlopes: Float64Array.of(-1, 0, 1, 3e38), queryOffset: 2 ** 31 - 1 },
    { softcap: 0 },
    { softcap: 1e-45 },
    { scale: -3e38 },
    { bias: f32(1, 1, 1, 1), mask: bools(1) },
    { causal: true, queryOffset: Int32Array.of(1, -1) },
  ];
  for (const changes of allowed) {
    expect(describeProblem({ ...plain, ...changes } as AttentionInputs).operation).toBe(
      "attention",
    );
  }
  // The entries that no length uses may be anything.
  const pageTable = int32([4, 99, 2, -7], 2, 2);
  expect(describeProblem({ ...paged, pageTable, kvLengths: [3, 1] }).pages?.count).toBe(5);
  const most = (pages: number, size: number) =>
    describeProblem({
      query: f32(1, 1, 1, 1),
      ...{
        key: tensor(new Float32Array(1), [1, 1, size, 1], { strides: [0, 0, 0, 1] }),
        value: tensor(new Float32Array(1), [1, 1, size, 1], { strides: [0, 0, 0, 1] }),
        pageTable: tensor(new Int32Array(1), [1, pages], { strides: [0, 0] }),
        kvLengths: [0],
      },
    }).keyLength;
  expect(most(1, 2 ** 31 - 1)).toBe(2 ** 31 - 1);
  expect(() => most(2 ** 16, 2 ** 15)).toThrow(
    /at most 2147483647 keys a sequence, got 65536 pages of 32768/,
  );
});
