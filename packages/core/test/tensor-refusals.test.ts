/** Tensors and views that are none, with the whole of what errors say. */
import {
  broadcastTo,
  contiguous,
  deviceTensor,
  elementCount,
  isContiguous,
  isDeviceTensor,
  mergeHeads,
  reshape,
  roundTo,
  rowMajorStrides,
  slice,
  splitHeads,
  tensor,
  toFloat64,
  transpose,
  zeros,
} from "@heed/core";
import { expect, test } from "vitest";
import { errorOf } from "./program/error-of.js";

const f32 = (...shape: number[]) => zeros("float32", shape);
const six = new Float32Array(6);
const storage = { backend: "gpu", read: async () => f32(1), release: () => {} };
const held = (shape: readonly number[]) => deviceTensor(storage, { dtype: "float32", shape });
/** A device tensor of a backend whose tensors have no views. */
const bare = {
  ...{ backend: "gpu", dtype: "float32", shape: [2, 3], disposed: false },
  ...{ read: storage.read, dispose: () => {} },
} as never;
const arrays =
  "a Float64Array, Float32Array, Float16Array, Uint16Array (float16 bits), Int32Array, Int8Array, Uint8Array, or an array of numbers or booleans";

test.each<[string, () => unknown, string, string]>([
  ["axes", () => transpose(f32(2, 3), [0]), "a permutation of 0 to 1", "[0]"],
  ["axes", () => transpose(f32(2, 3), [0, 0]), "a permutation of 0 to 1", "[0, 0]"],
  ["axes", () => transpose(f32(2, 3), [0, 2]), "a permutation of 0 to 1", "[0, 2]"],
  ["axes", () => transpose(f32(2, 3), [-1, 0]), "a permutation of 0 to 1", "[-1, 0]"],
  ["axes", () => transpose(f32(2, 3), [0, 0.5]), "a permutation of 0 to 1", "[0, 0.5]"],
  ["axes", () => transpose(f32(2, 3), 1 as never), "a permutation of 0 to 1", "1"],
  ["axis", () => slice(f32(2, 3), 2, 0), "an integer from 0 to 1", "2"],
  ["axis", () => slice(f32(2, 3), -1, 0), "an integer from 0 to 1", "-1"],
  ["axis", () => slice(f32(2, 3), 0.5, 0), "an integer from 0 to 1", "0.5"],
  ["end", () => slice(f32(2, 3), 1, 0, 4), "an integer from 0 to 3", "4"],
  ["end", () => slice(f32(2, 3), 1, 0, -1), "an integer from 0 to 3", "-1"],
  ["end", () => slice(f32(2, 3), 1, 0, 1.5), "an integer from 0 to 3", "1.5"],
  ["start", () => slice(f32(2, 3), 1, 3, 2), "an integer from 0 to 2", "3"],
  ["start", () => slice(f32(2, 3), 1, -1), "an integer from 0 to 3", "-1"],
  ["start", () => slice(f32(2, 3), 1, 0.5), "an integer from 0 to 3", "0.5"],
  [
    "shape",
    () => reshape(f32(2, 3), [5]),
    "sizes of 6 elements in all, as [2, 3] has",
    "[5], 5 elements",
  ],
  [
    "t",
    () => reshape(transpose(f32(2, 3), [1, 0]), [6]),
    "a row-major tensor without gaps (contiguous() makes one)",
    "strides [1, 3] for shape [3, 2]",
  ],
  ["t", () => splitHeads(f32(2, 3), 1), "shape [batch, length, heads·headDim]", "[2, 3]"],
  ["heads", () => splitHeads(f32(1, 2, 6), 4), "a divisor of 6", "4"],
  ["heads", () => splitHeads(f32(1, 2, 6), 0), "a divisor of 6", "0"],
  ["heads", () => splitHeads(f32(1, 2, 6), 1.5), "a divisor of 6", "1.5"],
  ["t", () => mergeHeads(f32(2, 3)), "shape [batch, heads, length, headDim]", "[2, 3]"],
  [
    "t",
    () => mergeHeads(held([1, 2, 3, 4])),
    "strides of which merged heads are a view, or a host tensor, which can be copied",
    'strides [24, 12, 4, 1] on backend "gpu"',
  ],
  [
    "t",
    () => transpose(bare, [1, 0]),
    "a host tensor, or one of a backend whose tensors have views",
    'a tensor of backend "gpu"',
  ],
  [
    "mask",
    () => broadcastTo(f32(2, 3), [3, 2], "mask"),
    "a shape that broadcasts to [3, 2]",
    "[2, 3]",
  ],
  ["t", () => broadcastTo(f32(2, 1, 3), [2, 3]), "a shape that broadcasts to [2, 3]", "[2, 1, 3]"],
  ["data", () => tensor(six, [2, 2]), "4 elements for shape [2, 2]", "6"],
  ["data", () => tensor([1, 2, 3], [2]), "2 elements for shape [2]", "3"],
  ["data", () => tensor({} as never, [1]), arrays, "an object with no members"],
  ["data", () => tensor(new BigInt64Array(1) as never, [1]), arrays, "BigInt64Array of 1"],
  ["data[1]", () => tensor([1, "2"] as never, [2]), "a number or a boolean", '"2"'],
  [
    "dtype",
    () => tensor(new Uint16Array(1) as never, [1]),
    '"float16" said explicitly for a Uint16Array of bits',
    "undefined",
  ],
  [
    "dtype",
    () => tensor(six, [6], { dtype: "float64" as never }),
    '"float32" for Float32Array of 6',
    '"float64"',
  ],
  [
    "dtype",
    () => tensor(new Uint8Array(1), [1], { dtype: "int8" as never }),
    '"uint8" or "bool" for Uint8Array of 1',
    '"int8"',
  ],
  [
    "shape",
    () => tensor(six, [2 ** 16, 2 ** 15]),
    "at most 2^31 − 1 elements in all",
    "[65536, 32768], 2147483648 elements",
  ],
  [
    "options.stride",
    () => tensor(six, [6], { stride: [1] } as never),
    "only dtype, strides, offset",
    '"stride"',
  ],
  [
    "layout",
    () => held([2, 3]).view?.({ shape: [7], strides: [1], offset: 0 }),
    "one within elements 0 to 5, which this tensor has",
    "an object with shape, strides, offset",
  ],
  [
    "layout",
    () => held([2, 3]).view?.({ shape: [6], strides: [1], offset: 1 }),
    "one within elements 0 to 5, which this tensor has",
    "an object with shape, strides, offset",
  ],
  [
    "layout",
    () => held([2, 3]).view?.({ shape: [1], strides: [1], offset: -1 }),
    "one within elements 0 to 5, which this tensor has",
    "an object with shape, strides, offset",
  ],
  [
    "layout",
    () => held([2, 3]).view?.({ shape: [1], strides: [1], offset: 0.5 }),
    "one within elements 0 to 5, which this tensor has",
    "an object with shape, strides, offset",
  ],
  [
    "storage",
    () => deviceTensor({ ...storage, backend: 1 } as never, { dtype: "float32", shape: [1] }),
    "a backend's storage",
    "an object with backend, read, release",
  ],
  [
    "storage",
    () => deviceTensor({ backend: "gpu" } as never, { dtype: "float32", shape: [1] }),
    "a backend's storage",
    "an object with backend",
  ],
  [
    "storage",
    () => deviceTensor(null as never, { dtype: "float32", shape: [1] }),
    "a backend's storage",
    "null",
  ],
])("%s is at fault", (argument, run, expected, actual) => {
  const error = errorOf(run);
  expect([error.argument, error.expected, error.actual]).toEqual([argument, expected, actual]);
});

test("sizes are integers from 0 to 2^31 − 1, of at most 64 axes", () => {
  for (const shape of [
    [-1],
    [0.5],
    ["1"],
    [2 ** 31],
    [2 ** 31, 0],
    new Array(65).fill(1),
    5,
    null,
    [Number.NaN],
  ]) {
    expect(errorOf(() => zeros("float32", shape as never)).argument).toBe("shape");
  }
  for (const shape of [[-1], [0.5], ["1"], 5, null]) {
    expect(errorOf(() => elementCount(shape as never)).argument).toBe("shape");
    expect(errorOf(() => rowMajorStrides(shape as never)).argument).toBe("shape");
  }
  expect(zeros("float32", new Array(64).fill(1)).shape).toHaveLength(64);
  expect(elementCount([2 ** 31 - 1, 2])).toBe(2 * (2 ** 31 - 1));
  expect([elementCount([]), elementCount([3, 0, 2]), elementCount([2, 3])]).toEqual([1, 0, 6]);
  expect([rowMajorStrides([]), rowMajorStrides([2, 3, 4])]).toEqual([[], [12, 4, 1]]);
});

test("views say where their elements are", () => {
  const t = tensor(new Float32Array(60), [2, 3, 4], { offset: 5, strides: [20, 5, 1] });
  const layoutOf = ({ shape, strides, offset }: typeof t) => [shape, strides, offset];
  expect(layoutOf(transpose(t, [2, 0, 1]))).toEqual([[4, 2, 3], [1, 20, 5], 5]);
  expect(layoutOf(slice(t, 1, 1))).toEqual([[2, 2, 4], [20, 5, 1], 10]);
  expect(layoutOf(slice(t, 0, 1, 1))).toEqual([[0, 3, 4], [20, 5, 1], 25]);
  expect(layoutOf(splitHeads(t, 2))).toEqual([[2, 2, 3, 2], [20, 2, 5, 1], 5]);
  expect(layoutOf(mergeHeads(splitHeads(t, 2)))).toEqual([[2, 3, 4], [20, 5, 1], 5]);
  expect(layoutOf(mergeHeads(splitHeads(t, 4)))).toEqual([[2, 3, 4], [20, 5, 1], 5]);
  expect(layoutOf(broadcastTo(slice(t, 1, 0, 1), [7, 2, 3, 4]))).toEqual([
    [7, 2, 3, 4],
    [0, 20, 0, 1],
    5,
  ]);
  expect(layoutOf(reshape(slice(f32(4, 6), 0, 1), [2, 9]))).toEqual([[2, 9], [9, 1], 6]);
  expect(isContiguous(t)).toBe(false);
  expect(layoutOf(contiguous(t))).toEqual([[2, 3, 4], [12, 4, 1], 0]);
  expect([
    isContiguous(slice(f32(4, 6), 0, 1)),
    isContiguous(f32(0, 3)),
    isContiguous(f32()),
  ]).toEqual([true, true, true]);
  expect(isContiguous(tensor(six, [1, 6], { strides: [99, 1] }))).toBe(true);
});

test.each<[string, object, boolean]>([
  ["with a backend's name and read", { backend: "gpu", read: () => {} }, true],
  ["with a name alone", { backend: "gpu" }, false],
  ["with read alone", { read: () => {} }, false],
  ["with another backend", { backend: 1, read: () => {} }, false],
  ["with another read", { backend: "gpu", read: "read" }, false],
])("a tensor in a backend's memory is an object %s", (_, members, isDevice) => {
  expect(isDeviceTensor(members)).toBe(isDevice);
  // The host tensor whose members these are beside.
  const { dtype, shape, strides, offset, data } = f32(2);
  const read = () => toFloat64({ dtype, shape, strides, offset, data, ...members } as never);
  if (isDevice) expect(errorOf(read).expected).toBe("a host tensor");
  else expect([...read()]).toEqual([0, 0]);
});

test("other values are no tensors in a backend's memory", () => {
  const throws = {
    get backend(): string {
      throw new Error("no");
    },
  };
  for (const value of [null, undefined, 5, "gpu", () => {}, throws, f32(2)]) {
    expect(isDeviceTensor(value)).toBe(false);
  }
});

test("members of literals are named in errors", () => {
  const { dtype, shape, strides, offset, data } = f32(2);
  const whole = { dtype, shape, strides, offset, data };
  for (const [name, wrong] of Object.entries({
    dtype: "bfloat16",
    shape: [1.5],
    strides: [-1],
    offset: -1,
    data: [1, 2],
  })) {
    expect(errorOf(() => toFloat64({ ...whole, [name]: wrong } as never)).argument).toBe(
      `t.${name}`,
    );
  }
  for (const value of ["1", null, undefined]) {
    const error = errorOf(() => roundTo("float32", value as never));
    expect([error.argument, error.expected]).toEqual(["value", "a number"]);
  }
  expect(errorOf(() => roundTo("int32" as never, 1)).argument).toBe("dtype");
});
