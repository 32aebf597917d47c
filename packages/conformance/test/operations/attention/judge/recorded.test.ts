import { judge } from "@heed/conformance";
import {
  type AttentionInputs,
  fromFloat64,
  type HostTensor,
  referenceAttention,
  toFloat64,
} from "@heed/core";
import { describe, expect, test } from "vitest";

const inputs: AttentionInputs<HostTensor> = {
  query: fromFloat64(Float64Array.of(0.3, -0.7), [1, 1, 1, 2], "float32"),
  key: fromFloat64(Float64Array.of(0.1, 0.9, -0.4, 0.2), [1, 1, 2, 2], "float32"),
  value: fromFloat64(Float64Array.of(1, 2, 3, 4), [1, 1, 2, 2], "float32"),
};
const truth = toFloat64(referenceAttention(inputs).output);

/** The truth, off by a number of unit roundoffs of its largest value. */
const off = (by: number, dtype: "float32" | "float64"): HostTensor =>
  fromFloat64(
    truth.map((x) => x + by * 2 ** -24 * 4),
    [1, 1, 1, 2],
    dtype,
  );

const budgets = (output: HostTensor, recorded?: HostTensor): number =>
  judge(inputs, { output }, recorded && { output: recorded }).budgets;

describe("a recording", () => {
  test("in float64 of float32 inputs is the truth, as the reference's is", () => {
    for (const by of [5, -5, 20]) {
      const got = off(by, "float32");
      expect(budgets(got, off(0, "float64"))).toBe(budgets(got));
    }
    expect(budgets(off(20, "float32"))).toBeGreaterThan(1);
  });

  test("in the call's own dtype may be as wrong as what it judges, on the other side of the truth", () => {
    const high = off(7, "float32");
    expect(budgets(high)).toBeLessThanOrEqual(1);
    expect(budgets(high, off(-7, "float32"))).toBeLessThanOrEqual(1);
    expect(budgets(high, off(-21, "float32"))).toBeGreaterThan(1);
  });
});
