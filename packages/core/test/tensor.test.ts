import {
  cast,
  contiguous,
  fromFloat64,
  InvalidInputError,
  isContiguous,
  mergeHeads,
  slice,
  splitHeads,
  type TensorOptions,
  tensor,
  toFloat64,
  transpose,
} from "@heed/core";
import { describe, expect, test } from "vitest";

const iota = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => i);

/** The error that a wrong call must give: of the right type, naming the argument. */
function invalid(run: () => unknown): InvalidInputError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidInputError);
    return error as InvalidInputError;
  }
  throw new Error("accepted");
}

describe("tensor", () => {
  test("is a view: no copy of a typed array", () => {
    const data = iota(6);
    const t = tensor(data, [2, 3]);
    expect(t).toMatchObject({ dtype: "float32", shape: [2, 3], strides: [3, 1], offset: 0 });
    expect(t.data).toBe(data);
  });

  test("copies lists, of booleans as bool", () => {
    expect(tensor([1, 2], [2])).toMatchObject({ dtype: "float32", data: Float32Array.of(1, 2) });
    expect(tensor([true, false], [2])).toMatchObject({ dtype: "bool", data: Uint8Array.of(1, 0) });
    expect(toFloat64(tensor([1.5, -2], [2], { dtype: "float16" }))).toEqual(
      Float64Array.of(1.5, -2),
    );
  });

  test("of no elements needs no data", () => {
    expect(tensor(new Float32Array(0), [2, 0, 3]).strides).toEqual([0, 3, 1]);
  });

  test.each<[string, unknown, readonly unknown[], TensorOptions, string]>([
    ["too few elements", iota(5), [2, 3], {}, "data"],
    ["too many elements", iota(7), [2, 3], {}, "data"],
    ["no array", "abc", [3], {}, "data"],
    ["an array of another kind", new Int16Array(3), [3], {}, "data"],
    ["a fractional size", iota(2), [1.5], {}, "shape"],
    ["a negative size", iota(2), [-1, 2], {}, "shape"],
    ["a size of NaN", iota(2), [Number.NaN], {}, "shape"],
    ["a size past 2^31", new Float32Array(0), [0, 2 ** 31], {}, "shape"],
    ["a count past 2^31", iota(1), [2 ** 16, 2 ** 16], { strides: [0, 0] }, "shape"],
    ["a shape that is no array", iota(2), 2 as unknown as [], {}, "shape"],
    ["an unknown dtype", iota(2), [2], { dtype: "bfloat16" as "float16" }, "dtype"],
    ["a dtype that the array cannot hold", iota(2), [2], { dtype: "float64" }, "dtype"],
    ["bits without a dtype", new Uint16Array(2), [2], {}, "dtype"],
    ["too few strides", iota(6), [2, 3], { strides: [1] }, "strides"],
    ["negative strides", iota(6), [2, 3], { strides: [3, -1], offset: 2 }, "strides"],
    ["fractional strides", iota(6), [2, 3], { strides: [1.5, 1] }, "strides"],
    ["strides past the buffer", iota(6), [2, 3], { strides: [4, 1] }, "strides"],
    ["an offset past the buffer", iota(6), [2, 3], { offset: 1 }, "strides"],
    ["a negative offset", iota(6), [2, 3], { offset: -1 }, "offset"],
    ["a list of strings", ["a"] as unknown as number[], [1], {}, "data[0]"],
  ])("refuses %s", (_, data, shape, options, argument) => {
    const error = invalid(() => tensor(data as Float32Array, shape as number[], options));
    expect(error.argument).toBe(argument);
    expect(error.message).toContain(argument);
    expect(error.expected).not.toBe("");
    expect(error.actual).not.toBe("");
  });

  test("refuses a detached buffer, and says so", () => {
    const data = iota(4);
    structuredClone(data.buffer, { transfer: [data.buffer as ArrayBuffer] });
    expect(invalid(() => tensor(data, [4])).message).toContain("detached");
  });
});

describe("views", () => {
  const t = tensor(iota(24), [2, 3, 4]);

  test("transpose reorders axes without a copy", () => {
    const v = transpose(t, [2, 0, 1]);
    expect(v).toMatchObject({ shape: [4, 2, 3], strides: [1, 12, 4] });
    expect(v.data).toBe(t.data);
    expect(contiguous(v).data.slice(0, 6)).toEqual(Float32Array.of(0, 4, 8, 12, 16, 20));
  });

  test("slice keeps a range without a copy", () => {
    const v = slice(t, 1, 1, 3);
    expect(v).toMatchObject({ shape: [2, 2, 4], offset: 4 });
    expect(toFloat64(v)).toEqual(
      Float64Array.of(4, 5, 6, 7, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23),
    );
    expect(slice(t, 1, 1).shape).toEqual([2, 2, 4]);
    expect(slice(t, 0, 2, 2).shape).toEqual([0, 3, 4]);
  });

  test("splitHeads and mergeHeads are inverse views", () => {
    const split = splitHeads(t, 2);
    expect(split.shape).toEqual([2, 2, 3, 2]);
    expect(toFloat64(split).slice(0, 6)).toEqual(Float64Array.of(0, 1, 4, 5, 8, 9));
    const merged = mergeHeads(split);
    expect(merged.data).toBe(t.data);
    expect(toFloat64(merged)).toEqual(toFloat64(t));
  });

  test("mergeHeads of contiguous heads copies, since no strides can say it", () => {
    const heads = tensor(iota(12), [1, 2, 3, 2]);
    expect(toFloat64(mergeHeads(heads))).toEqual(
      Float64Array.of(0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11),
    );
    expect(mergeHeads(tensor(iota(6), [1, 1, 3, 2])).shape).toEqual([1, 3, 2]);
    expect(toFloat64(mergeHeads(tensor(iota(6), [1, 2, 3, 1])))).toEqual(
      Float64Array.of(0, 3, 1, 4, 2, 5),
    );
  });

  test("packed QKV is three views of one buffer", () => {
    const [batch, length, heads, dim] = [1, 2, 2, 3];
    const packed = tensor(iota(batch * length * 3 * heads * dim), [batch, length, 3 * heads * dim]);
    const key = splitHeads(slice(packed, 2, heads * dim, 2 * heads * dim), heads);
    expect(key.shape).toEqual([1, 2, 2, 3]);
    expect(toFloat64(key)).toEqual(Float64Array.of(6, 7, 8, 24, 25, 26, 9, 10, 11, 27, 28, 29));
    expect(key.data).toBe(packed.data);
  });

  test("contiguous copies only if it must, float16 bits included", () => {
    expect(contiguous(t)).toBe(t);
    const bits = tensor(Uint16Array.of(0x3c00, 0x4000, 0x4200, 0x4400), [2, 2], {
      dtype: "float16",
    });
    const copy = contiguous(transpose(bits, [1, 0]));
    expect(toFloat64(copy)).toEqual(Float64Array.of(1, 3, 2, 4));
    expect(isContiguous(copy)).toBe(true);
  });

  test.each<[string, () => unknown, string]>([
    ["axes that are no permutation", () => transpose(t, [0, 0, 1]), "axes"],
    ["too few axes", () => transpose(t, [0, 1]), "axes"],
    ["an axis that is not there", () => slice(t, 3, 0, 1), "axis"],
    ["a negative start", () => slice(t, 0, -1, 1), "start"],
    ["a start after the end", () => slice(t, 0, 2, 1), "start"],
    ["an end past the size", () => slice(t, 0, 0, 3), "end"],
    ["heads that do not divide", () => splitHeads(t, 3), "heads"],
    ["no heads", () => splitHeads(t, 0), "heads"],
    ["splitHeads of another rank", () => splitHeads(tensor(iota(4), [2, 2]), 1), "t"],
    ["mergeHeads of another rank", () => mergeHeads(t), "t"],
    ["what is no tensor", () => contiguous({} as typeof t), "t"],
  ])("refuse %s", (_, run, argument) => {
    expect(invalid(run).argument).toBe(argument);
  });
});

describe("values", () => {
  test("cast rounds once", () => {
    // float64 → float32 → float16 would round this half-way case twice, to 1.
    const x = 1 + 2 ** -11 + 2 ** -30;
    const t = tensor(Float64Array.of(x), [1]);
    expect(toFloat64(cast(t, "float16"))).toEqual(Float64Array.of(1 + 2 ** -10));
    expect(cast(t, "float64")).toBe(t);
  });

  test("fromFloat64 stores every dtype", () => {
    for (const dtype of [
      "float64",
      "float32",
      "float16",
      "int32",
      "int8",
      "uint8",
      "bool",
    ] as const) {
      expect(toFloat64(fromFloat64([1, 0, 1], [3], dtype))).toEqual(Float64Array.of(1, 0, 1));
    }
  });
});
