import {
  type FloatDType,
  fromFloat64,
  type HostTensor,
  InvalidInputError,
  mergePartials,
  toFloat64,
} from "@heed/core";
import { describe, expect, test } from "vitest";

/** A part of one row: its log-sum-exp and its two output values. */
const part = (lse: number, output: [number, number], dtype: FloatDType = "float64") => ({
  output: fromFloat64(output, [1, 2], dtype),
  logSumExp: fromFloat64([lse], [1], dtype === "float64" ? "float64" : "float32"),
});

const merged = (...parts: { output: HostTensor; logSumExp: HostTensor }[]) => {
  const { output, logSumExp } = mergePartials(parts);
  return [...toFloat64(output), ...toFloat64(logSumExp)];
};

const { NaN: nan, NEGATIVE_INFINITY: minus } = Number;

describe("mergePartials", () => {
  test.each([0, 1, 2, 3, 4])("the largest log-sum-exp may be that of part %i of five", (place) => {
    // 800 apart: exp of the difference to any other maximum would not be finite.
    const parts = [0, 1, 2, 3, 4].map((p) => part(p === place ? 900 : 100, [p, -p]));
    expect(merged(...parts)).toEqual([place, 0 - place, 900]);
  });

  test.each([0, 1, 2])("what part %i holds does not matter if it saw no key", (place) => {
    for (const poison of [nan, Number.POSITIVE_INFINITY, minus]) {
      const parts = [0, 1, 2].map((p) =>
        part(p === place ? minus : 0, p === place ? [poison, poison] : [4, 8]),
      );
      expect(merged(...parts)).toEqual([4, 8, Math.log(2)]);
    }
  });

  test("rows without any key are 0, whatever the parts hold", () => {
    expect(merged(part(minus, [nan, 1]), part(minus, [2, nan]))).toEqual([0, 0, minus]);
  });

  test("a part whose weight underflows has seen keys: its NaN is the answer", () => {
    expect(merged(part(0, [1, 2]), part(-2000, [nan, 3]))).toEqual([nan, 2, 0]);
    expect(merged(part(nan, [1, 2]), part(0, [3, 4]))).toEqual([nan, nan, nan]);
  });

  test("float16 and float32 parts are rounded once", () => {
    const halves = merged(part(0, [1, 2048], "float16"), part(0, [1 + 2 ** -10, 2050], "float16"));
    expect(halves.slice(0, 2)).toEqual([1, 2048]);
    expect(halves[2]).toBe(Math.fround(Math.log(2)));
  });

  test.each<[string, unknown, string]>([
    ["nothing", undefined, "parts"],
    ["no parts", [], "parts"],
    ["a part that is null", [part(0, [1, 2]), null], "parts[1]"],
    ["a part without output", [{ logSumExp: part(0, [1, 2]).logSumExp }], "parts[0].output"],
    ["parts of two dtypes", [part(0, [1, 2]), part(0, [1, 2], "float32")], "parts[1].output"],
  ])("refuses %s", (_, parts, argument) => {
    let error: unknown;
    try {
      mergePartials(parts as never);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(InvalidInputError);
    expect((error as InvalidInputError).argument).toBe(argument);
  });
});
