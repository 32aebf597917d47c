import {
  describeProblem,
  type HostTensor,
  InvalidInputError,
  paddingMask,
  referenceAttention,
  tensor,
  toFloat64,
  zeros,
} from "@heed/core";
import { describe, expect, test } from "vitest";

const bits = [1, 1, 0, 1, 0, 0];

describe("paddingMask", () => {
  test.each<[string, () => HostTensor]>([
    ["a tensor of integers", () => paddingMask(tensor(Int32Array.from(bits), [2, 3]))],
    ["a tensor of numbers", () => paddingMask(tensor(bits, [2, 3]))],
    ["a tensor of bool", () => paddingMask(tensor(bits.map(Boolean), [2, 3]))],
    [
      "a tensor of bytes that are not 1",
      () => paddingMask(tensor(Uint8Array.of(2, 255, 0, 4, 0, 0), [2, 3], { dtype: "bool" })),
    ],
    [
      "rows of integers",
      () =>
        paddingMask([
          [1, 1, 0],
          [1, 0, 0],
        ]),
    ],
    [
      "rows of booleans",
      () =>
        paddingMask([
          [true, true, false],
          [true, false, false],
        ]),
    ],
    ["a tokenizer's int64", () => paddingMask(BigInt64Array.from(bits, BigInt), [2, 3])],
    ["a flat list", () => paddingMask(bits, [2, 3])],
    ["lengths", () => paddingMask([2, 1], 3)],
    ["lengths in an array", () => paddingMask(Int32Array.of(2, 1), 3)],
    ["lengths in int64", () => paddingMask(BigInt64Array.of(2n, 1n), 3)],
  ])("of %s", (_, make) => {
    const mask = make();
    expect(mask).toMatchObject({ dtype: "bool", shape: [2, 1, 1, 3] });
    expect([...toFloat64(mask)]).toEqual(bits);
  });

  test("of lengths from nothing to all keys, of no sequence, and of no keys", () => {
    expect([...paddingMask([0, 3], 3).data]).toEqual([0, 0, 0, 1, 1, 1]);
    expect(paddingMask([], 3).shape).toEqual([0, 1, 1, 3]);
    expect(paddingMask([]).shape).toEqual([0, 1, 1, 0]);
    expect(paddingMask([0, 0], 0).shape).toEqual([2, 1, 1, 0]);
    expect(paddingMask([], [0, 3]).shape).toEqual([0, 1, 1, 3]);
  });

  test("hides each sequence's own padding, also where batch and length are alike", () => {
    const ones = (shape: number[]) => tensor(new Float32Array(12).fill(1), shape);
    const { weights } = referenceAttention({
      query: ones([2, 1, 2, 3]),
      key: ones([2, 1, 2, 3]),
      value: ones([2, 1, 2, 3]),
      mask: paddingMask([1, 2], 2),
      returns: { weights: true },
    });
    expect([...toFloat64(weights as HostTensor)]).toEqual([1, 0, 1, 0, 0.5, 0.5, 0.5, 0.5]);
  });

  test.each<[string, () => unknown, string]>([
    ["an additive mask", () => paddingMask(tensor([0, -10_000], [1, 2])), "attend[0][1]"],
    ["another rank", () => paddingMask(zeros("bool", [2, 1, 1, 3])), "attend"],
    ["rows of other lengths", () => paddingMask([[1, 1], [1]]), "attend[1]"],
    ["too few elements", () => paddingMask(bits, [2, 4]), "attend"],
    ["a length past the keys", () => paddingMask([2, 4], 3), "lengths[1]"],
    ["a negative length", () => paddingMask([3, -1], 3), "lengths[1]"],
    ["a negative int64", () => paddingMask(BigInt64Array.of(-2n), 3), "lengths[0]"],
    ["a length that is no number", () => paddingMask([true] as never, 3), "lengths[0]"],
    ["numbers that are neither 0 nor 1", () => paddingMask([[1, 2]]), "attend[0][1]"],
    ["NaN", () => paddingMask([[1], [Number.NaN]]), "attend[1][0]"],
    ["a hole", () => paddingMask([new Array(2)] as never), "attend[0]"],
    ["a shape of one axis", () => paddingMask([1, 1], [2] as never), "shape"],
    ["a shape of three axes", () => paddingMask([1, 1], [2, 1, 1] as never), "shape"],
    ["a tensor of one axis", () => paddingMask(zeros("bool", [3])), "attend"],
    ["a fractional length", () => paddingMask([1.5], 3), "lengths[0]"],
    ["a negative length of keys", () => paddingMask([0], -1), "keyLength"],
    ["words", () => paddingMask([["yes"]] as never), "attend[0][0]"],
    ["nothing", () => paddingMask(undefined as never), "attend"],
  ])("refuses %s", (_, run, argument) => {
    let error: unknown;
    try {
      run();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(InvalidInputError);
    expect((error as InvalidInputError).argument).toBe(argument);
  });

  test("reads nothing of a list that is longer than any mask", () => {
    const expectedOf = (length: number) => {
      const list = new Proxy([], {
        get: (_, name) => {
          if (name === "length") return length;
          throw new Error("it is read");
        },
      });
      try {
        paddingMask(list, 3);
      } catch (error) {
        return (error as InvalidInputError).expected;
      }
      throw new Error("accepted");
    };
    expect(expectedOf(2 ** 31)).toBe("an array or a typed array");
    expect(expectedOf(2 ** 31 - 1)).not.toBe("an array or a typed array");
  });

  test("is what errors about masks point to", () => {
    const t = zeros("float32", [3, 2, 5, 4]);
    const call = { query: t, key: t, value: t };
    const expected = /a padding mask is \[batch, 1, 1, keyLength\].*paddingMask/;
    const wrong = [tensor(new Int32Array(15), [3, 5]), tensor(new Array(15).fill(true), [3, 5])];
    for (const mask of wrong) expect(() => describeProblem({ ...call, mask })).toThrow(expected);
  });
});
