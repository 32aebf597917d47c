/** Everything that calls of the other operations may have wrong, with the whole of what the error says. */
import {
  deviceTensor,
  InvalidInputError,
  merge,
  mergePartials,
  projection,
  rmsNorm,
  rotary,
  scatter,
  tensor,
  zeros,
} from "@heed/core";
import { describe, expect, test } from "vitest";
import { errorOf } from "./program/error-of.js";

const f32 = (...shape: number[]) => zeros("float32", shape);
const f64 = (...shape: number[]) => zeros("float64", shape);
const int32 = (values: readonly number[], ...shape: number[]) =>
  tensor(Int32Array.from(values), shape);
const held = (dtype: "float32" | "int32", shape: readonly number[]) =>
  deviceTensor({ backend: "gpu", read: async () => f32(1), release: () => {} }, { dtype, shape });

type Wrong = readonly [argument: string, changes: object, expected: string, actual: string];

function refuses(
  name: string,
  base: object,
  describeCall: (inputs: never) => unknown,
  wrong: readonly Wrong[],
): void {
  describe(name, () => {
    test("takes the call itself", () => {
      expect(describeCall(base as never)).toBeTruthy();
    });
    test.each(wrong)("refuses %s: %j", (argument, changes, expected, actual) => {
      const error = errorOf(() => describeCall({ ...base, ...changes } as never));
      expect(error).toBeInstanceOf(InvalidInputError);
      expect([error.argument, error.expected, error.actual]).toEqual([argument, expected, actual]);
    });
  });
}

const floats = "dtype float64, float32 or float16";
const [source, slots] = [f32(2, 3, 4, 5), Int32Array.of(0, 1, 2, 3, 0, 1, 2, 3)];
refuses("scatter", { target: f32(2, 3, 6, 5), source, slots }, scatter.describe, [
  [
    "target",
    { target: zeros("int32", [2, 3, 6, 5]) },
    "dtype float64, float32, float16 or int8",
    "int32",
  ],
  ["target", { target: f32(2, 3, 6) }, "shape [batch or pages, heads, rows, headDim]", "[2, 3, 6]"],
  ["source", { source: f32(2, 3, 4) }, "shape [batch, heads, n, headDim]", "[2, 3, 4]"],
  ["source", { source: zeros("int8", [2, 3, 4, 5]) }, floats, "int8"],
  [
    "source",
    { source: f32(2, 2, 4, 5) },
    "the target's heads and headDim, [batch, 3, n, 5]",
    "[2, 2, 4, 5]",
  ],
  [
    "source",
    { source: f32(2, 3, 4, 6) },
    "the target's heads and headDim, [batch, 3, n, 5]",
    "[2, 3, 4, 6]",
  ],
  [
    "target",
    { target: f32(3, 3, 6, 5), paged: false },
    "one entry for each of the source's 2 batch entries, since it is not paged",
    "3",
  ],
  ["paged", { paged: 1 }, "a boolean", "1"],
  ["scales", { scales: f32(2, 3, 6) }, "nothing beside a target of float32", "scales"],
  [
    "slots",
    { slots: Int32Array.of(0, 1) },
    "8 integers, one for each row of the source",
    "2 of them",
  ],
  ["slots", { slots: f32(2, 4) }, "dtype int32", "float32"],
  ["slots", { slots: int32([...slots], 8) }, "shape [batch, n] = [2, 4]", "[8]"],
  ["slots", { slots: held("int32", [2, 4]) }, "a host tensor", "a device tensor"],
  [
    "slots",
    { slots: Int32Array.of(0, 1, 2, 6, 0, 1, 2, 3) },
    "rows of the target, below 6, or −1",
    "6",
  ],
  [
    "slots",
    { slots: Int32Array.of(0, 1, 2, -2, 0, 1, 2, 3) },
    "rows of the target, below 6, or −1",
    "-2",
  ],
  ["slots", { slots: Int32Array.of(0, 1, 2, 1, 0, 1, 2, 3) }, "each slot at most once", "1 twice"],
  ["slots", { slots: Int32Array.of(0, 1, 2, 3, 5, 0, -1, 5) }, "each slot at most once", "5 twice"],
  [
    "slots",
    { paged: true, slots: Int32Array.of(0, 1, 2, 12, 4, 5, 6, 7) },
    "slots of the pages, below 12, or −1",
    "12",
  ],
  [
    "slots",
    { paged: true, slots: Int32Array.of(0, 1, 2, 3, 0, 5, 6, 7) },
    "each slot at most once",
    "0 twice",
  ],
  ["inputs.scale", { scale: 1 }, "only target, source, slots, scales, paged", '"scale"'],
]);
refuses(
  "scatter to int8",
  { target: zeros("int8", [2, 3, 6, 5]), scales: f32(2, 3, 6), source, slots },
  scatter.describe,
  [
    ["scales", { scales: f64(2, 3, 6) }, "dtype float32", "float64"],
    [
      "scales",
      { scales: f32(2, 3, 5) },
      "shape [batch or pages, heads, rows] = [2, 3, 6]",
      "[2, 3, 5]",
    ],
  ],
);

/** A tensor over a piece of memory. */
const memory = new Float32Array(1000);
const over = (offset: number, shape: readonly number[], strides?: readonly number[]) =>
  tensor(memory, shape, { offset, ...(strides && { strides }) });
const apart = (of: string) => `memory of its own, apart from the ${of}`;
const nested = "strides with which no two elements share memory";
refuses(
  "scatter in one buffer",
  { target: over(0, [2, 3, 6, 5]), source: over(180, [2, 3, 4, 5]), slots },
  scatter.describe,
  [
    ["source", { source: over(179, [2, 3, 4, 5]) }, apart("target"), "memory that overlaps it"],
    [
      "source",
      { target: over(119, [2, 3, 6, 5]), source: over(0, [2, 3, 4, 5]) },
      apart("target"),
      "memory that overlaps it",
    ],
    [
      "target",
      { target: over(0, [2, 3, 6, 5], [90, 30, 5, 0]), source },
      nested,
      "[90, 30, 5, 0] for shape [2, 3, 6, 5]",
    ],
    [
      "target",
      { target: over(0, [2, 3, 6, 5], [90, 30, 4, 1]), source },
      nested,
      "[90, 30, 4, 1] for shape [2, 3, 6, 5]",
    ],
    [
      "target",
      { target: over(0, [2, 3, 6, 5], [89, 30, 5, 1]), source },
      nested,
      "[89, 30, 5, 1] for shape [2, 3, 6, 5]",
    ],
    [
      "source",
      { source: held("float32", [2, 3, 4, 5]) },
      "a host tensor, as the target",
      "a device tensor",
    ],
  ],
);

test("memory may be apart by nothing, and strides may be in any order", () => {
  const of = (target: unknown, given: unknown = source) =>
    scatter.describe({ target, source: given, slots } as never).rows;
  expect(of(over(120, [2, 3, 6, 5]), over(0, [2, 3, 4, 5]))).toBe(6);
  expect(of(over(0, [2, 3, 6, 5], [5, 10, 30, 1]))).toBe(6);
  expect(of(over(0, [2, 3, 6, 5], [100, 33, 5, 1]))).toBe(6);
  expect(of(held("float32", [2, 3, 6, 5]))).toBe(6);
});

refuses("rmsNorm", { input: f32(2, 3, 4), weight: f32(4) }, rmsNorm.describe, [
  ["input", { input: zeros("int8", [4]) }, floats, "int8"],
  ["input", { input: f32() }, "a shape of 1 to 4 axes", "[]"],
  ["input", { input: f32(1, 1, 1, 1, 4) }, "a shape of 1 to 4 axes", "[1, 1, 1, 1, 4]"],
  ["weight", { weight: f64(4) }, "the input's dtype float32", "float64"],
  ["weight", { weight: f32(3) }, "shape [size] = [4]", "[3]"],
  ["weight", { weight: f32(4, 1) }, "shape [size] = [4]", "[4, 1]"],
  ["epsilon", { epsilon: 0 }, "a number from 1e-37 to 1e+37", "0"],
  ["epsilon", { epsilon: 1e38 }, "a number from 1e-37 to 1e+37", "1e+38"],
  ["epsilon", { epsilon: "1" }, "a number from 1e-37 to 1e+37", '"1"'],
  ["inputs.eps", { eps: 1 }, "only input, weight, epsilon", '"eps"'],
]);

refuses("projection", { input: f32(2, 3, 4), weight: f32(5, 4) }, projection.describe, [
  ["input", { input: zeros("int8", [2, 3, 4]) }, floats, "int8"],
  ["input", { input: f32(2, 4) }, "shape [batch, length, in]", "[2, 4]"],
  ["weight", { weight: f32(4) }, "shape [out, in]", "[4]"],
  ["weight", { weight: f64(5, 4) }, "the input's dtype float32", "float64"],
  ["weight", { weight: f32(4, 5) }, "shape [out, in] = [out, 4]", "[4, 5]"],
  ["bias", { bias: f64(5) }, "the input's dtype float32", "float64"],
  ["bias", { bias: f32(4) }, "shape [out] = [5]", "[4]"],
  ["bias", { bias: f32(5, 1) }, "shape [out] = [5]", "[5, 1]"],
  [
    "weight",
    {
      input: tensor(new Float32Array(4), [1, 2 ** 16, 4], { strides: [0, 0, 1] }),
      weight: tensor(new Float32Array(4), [2 ** 15, 4], { strides: [0, 1] }),
    },
    "an output of at most 2^31 − 1 elements",
    "one of 2147483648",
  ],
]);

test("slots are told by the last row, and -1 may come as often as wanted", () => {
  const problem = (given: readonly number[], paged = false) =>
    scatter.describe({ target: f32(2, 3, 6, 5), source, slots: Int32Array.from(given), paged });
  expect(problem([5, -1, -1, 0, -1, -1, -1, -1])).toBe(problem([0, 1, 2, 3, 5, 4, 3, 2]));
  expect(problem([11, 0, 5, 3, 4, -1, -1, 2], true).paged).toBe(true);
  expect(problem([0, 1, 2, 3, 0, 1, 2, 3]).key).not.toBe(
    problem([0, 1, 2, 3, 4, 5, 6, 7], true).key,
  );
});

const rows = f64(12, 4);
const tables = { cos: rows, sin: rows, theta: undefined };
const twelve = "positions from 0 to 11, the rows of cos";
const ofTokens = (...shape: number[]) => ({
  theta: undefined,
  cos: f64(...shape),
  sin: f64(...shape),
});
const perToken = "nothing beside cosines and sines that have one row a token";
refuses("rotary", { input: f64(2, 3, 5, 8), theta: 10 }, rotary.describe, [
  ["input", { input: zeros("int32", [1, 1, 1, 8]) }, floats, "int32"],
  ["input", { input: f32(1, 1, 8) }, "shape [batch, heads, length, headDim]", "[1, 1, 8]"],
  ["input", { input: f32(1, 1, 1, 7) }, "an even head size of at least 2, or rotaryDim", "7"],
  ["input", { input: f32(1, 1, 1, 0) }, "an even head size of at least 2, or rotaryDim", "0"],
  ["rotaryDim", { rotaryDim: 3 }, "an even integer from 2 to the head size 8", "3"],
  ["rotaryDim", { rotaryDim: 0 }, "an even integer from 2 to the head size 8", "0"],
  ["rotaryDim", { rotaryDim: 10 }, "an even integer from 2 to the head size 8", "10"],
  ["interleaved", { interleaved: 1 }, "a boolean", "1"],
  [
    "theta",
    { theta: undefined },
    "exactly one of cos and sin, theta, and inverseFrequencies",
    "none of them",
  ],
  [
    "inverseFrequencies",
    { inverseFrequencies: [1, 1, 1, 1] },
    "exactly one of cos and sin, theta, and inverseFrequencies",
    "theta and inverseFrequencies",
  ],
  [
    "theta",
    { cos: rows, sin: rows },
    "exactly one of cos and sin, theta, and inverseFrequencies",
    "cos and theta",
  ],
  ["sin", { theta: undefined, cos: rows }, "cosines and sines together", "undefined"],
  ["cos", { theta: undefined, sin: rows }, "cosines and sines together", "undefined"],
  [
    "cos",
    { ...tables, cos: zeros("float16", [12, 4]) },
    "the input's dtype float64, or float32",
    "float16",
  ],
  ["sin", { ...tables, sin: f32(12, 4) }, "the dtype of cos, float64", "float32"],
  ["sin", { ...tables, sin: f64(11, 4) }, "the shape of cos, [12, 4]", "[11, 4]"],
  [
    "cos",
    ofTokens(12, 3),
    "shape [maxPosition, rotaryDim / 2] = [maxPosition, 4], or one row a token",
    "[12, 3]",
  ],
  [
    "cos",
    ofTokens(12),
    "shape [maxPosition, rotaryDim / 2] = [maxPosition, 4], or one row a token",
    "[12]",
  ],
  [
    "cos",
    ofTokens(2, 5, 3),
    "shape [batch, length, rotaryDim / 2] = [2, 5, 4], one row a token",
    "[2, 5, 3]",
  ],
  [
    "cos",
    ofTokens(1, 5, 4),
    "shape [batch, length, rotaryDim / 2] = [2, 5, 4], one row a token",
    "[1, 5, 4]",
  ],
  [
    "positions",
    { ...ofTokens(2, 5, 4), positions: new Int32Array(5) },
    perToken,
    "positions of tokens",
  ],
  ["offset", { ...ofTokens(2, 5, 4), offset: 0 }, perToken, "positions of tokens"],
  ["offset", { ...tables, offset: 8 }, twelve, "12"],
  ["offset", { ...tables, offset: -1 }, twelve, "-1"],
  ["offset", { ...tables, offset: [0, 8] }, twelve, "12"],
  ["positions", { ...tables, positions: Int32Array.of(0, 1, -1, 2, 3) }, twelve, "-1"],
  ["positions", { ...tables, positions: int32([0, 1, 12, 2, 3], 5) }, twelve, "12"],
  ["offset", { positions: new Int32Array(5), offset: 1 }, "nothing beside positions", "1"],
  [
    "positions",
    { positions: new Int32Array(4) },
    "10 integers, one a token, or 5 for every batch",
    "4 of them",
  ],
  ["positions", { positions: f32(2, 5) }, "dtype int32", "float32"],
  [
    "positions",
    { positions: int32(new Array(10).fill(0), 5, 2) },
    "shape [batch, length] = [2, 5], or [5]",
    "[5, 2]",
  ],
  [
    "positions",
    { positions: int32(new Array(10).fill(0), 10) },
    "shape [batch, length] = [2, 5], or [5]",
    "[10]",
  ],
  [
    "positions",
    { positions: int32(new Array(5).fill(0), 1, 5) },
    "shape [batch, length] = [2, 5], or [5]",
    "[1, 5]",
  ],
  [
    "positions",
    { positions: int32(new Array(10).fill(0), 2, 5, 1) },
    "shape [batch, length] = [2, 5], or [5]",
    "[2, 5, 1]",
  ],
  [
    "positions",
    { positions: int32(new Array(5).fill(0), 5, 1) },
    "shape [batch, length] = [2, 5], or [5]",
    "[5, 1]",
  ],
  [
    "positions",
    { positions: int32(new Array(12).fill(0), 2, 6) },
    "shape [batch, length] = [2, 5], or [5]",
    "[2, 6]",
  ],
  ["positions", { positions: held("int32", [2, 5]) }, "a host tensor", "a device tensor"],
  ["offset", { offset: 0.5 }, "a 32-bit signed integer", "0.5"],
  ["offset", { offset: [1] }, "2 integers, one a batch", "1 of them"],
  ["offset", { offset: 2 ** 31 - 4 }, "positions of at most 2^31 − 1", "2147483644"],
  ["offset", { offset: [0, 2 ** 31 - 4] }, "positions of at most 2^31 − 1", "2147483644"],
  ["theta", { theta: 0 }, "a finite number > 0", "0"],
  ["theta", { theta: Infinity }, "a finite number > 0", "Infinity"],
  [
    "inverseFrequencies",
    { theta: undefined, inverseFrequencies: 1 },
    "a Float64Array, a Float32Array or an array of numbers",
    "1",
  ],
  [
    "inverseFrequencies",
    { theta: undefined, inverseFrequencies: [1] },
    "4 numbers, one for each pair",
    "1 of them",
  ],
  [
    "inverseFrequencies",
    { theta: undefined, inverseFrequencies: [1, 1, 1, Number.NaN] },
    "finite numbers",
    "NaN",
  ],
  [
    "inputs.base",
    { base: 10 },
    "only input, positions, offset, cos, sin, theta, inverseFrequencies, rotaryDim, interleaved",
    '"base"',
  ],
]);

test("rotary: rows of angles are shared by batch entries that have the same positions", () => {
  const input = f32(2, 3, 5, 8);
  const rowsOf = (changes: object) => rotary.describe({ input, theta: 10, ...changes }).tableRows;
  const of = (length: number) => new Int32Array(length);
  expect(rowsOf({})).toBe(5);
  expect(rowsOf({ offset: 2 ** 31 - 5 })).toBe(5);
  expect(rowsOf({ offset: [0, 0] })).toBe(10);
  expect(rowsOf({ positions: of(5) })).toBe(5);
  expect(rowsOf({ positions: of(10) })).toBe(10);
  expect(rowsOf({ positions: tensor(of(5), [5]) })).toBe(5);
  expect(rowsOf({ positions: tensor(of(10), [2, 5]) })).toBe(10);
  const [cos, sin] = [f32(12, 4), f32(12, 4)];
  for (const offset of [0, 7, [0, 7]])
    expect(rowsOf({ theta: undefined, cos, sin, offset })).toBe(12);
  const empty = { input: f32(2, 3, 0, 8), theta: undefined, cos: f32(0, 4), sin: f32(0, 4) };
  expect(rowsOf(empty)).toBe(0);
});

const part = (output = f32(2, 3), logSumExp: unknown = f32(2)) => ({ output, logSumExp });
const parts = (...given: unknown[]) => ({ parts: given });
const nine = "from 1 to 9 axes";
refuses("merge", parts(part(), part()), merge.describe, [
  ["parts", parts(), "at least one partial result", "[]"],
  ["parts", { parts: 3 }, "at least one partial result", "3"],
  ["inputs.part", { part: 1 }, "only parts", '"part"'],
  ["parts[1]", parts(part(), null), "an object", "null"],
  [
    "parts[0].lse",
    parts({ ...part(), lse: 1 }),
    "only output, logSumExp, weights, scores, backend",
    '"lse"',
  ],
  ["parts[0].output", parts(part(zeros("float32", []))), nine, "0"],
  ["parts[0].output", parts(part(f32(1, 1, 1, 1, 1, 1, 1, 1, 1, 2))), nine, "10"],
  ["parts[1].output", parts(part(), part(f32(2, 4))), "the first part's shape [2, 3]", "[2, 4]"],
  ["parts[0].output", parts(part(zeros("int8", [2, 3]) as never)), floats, "int8"],
  ["parts[1].output", parts(part(), part(f64(2, 3) as never)), "dtype float32", "float64"],
  ["parts[0].logSumExp", parts(part(f32(2, 3), zeros("int8", [2]))), floats, "int8"],
  ["parts[1].logSumExp", parts(part(), part(f32(2, 3), f64(2))), "dtype float32", "float64"],
  [
    "parts[0].logSumExp",
    parts(part(f32(2, 3), f32(3))),
    "the output's shape without its last axis, [2]",
    "[3]",
  ],
]);

test.each([
  ["parts[0].output", parts({ output: held("float32", [2, 3]), logSumExp: f32(2) }, part())],
  ["parts[1].logSumExp", parts(part(), { output: f32(2, 3), logSumExp: held("float32", [2]) })],
])("parts are merged at once in host memory alone: %s", (argument, inputs) => {
  const error = errorOf(() => mergePartials(inputs.parts as never));
  expect([error.argument, error.expected, error.actual]).toEqual([
    argument,
    "a host tensor",
    "a tensor of backend gpu",
  ]);
});
