import { naiveAttention } from "@heed/conformance";
import {
  type AttentionInputs,
  type FloatDType,
  fromFloat64,
  type HostTensor,
  tensor,
} from "@heed/core";
import { describe, expect, test } from "vitest";
import { ieee754, relaxed } from "../../../../src/judge/arithmetic.js";
import { finiteOr0 } from "../../../../src/judge/roundoff.js";
import {
  allowance,
  hullAllowance,
  naiveFactor,
  sumAllowance,
} from "../../../../src/operations/attention/judge/allowance.js";

const u = 2 ** -24;
const tiny = 2 ** -149;

/**
 * One query and some keys of head size 1, of which `logits` and `values` are exact: the query is 1.
 */
function call(
  logits: readonly number[],
  values: readonly number[],
  more: Partial<AttentionInputs<HostTensor>> & { dtype?: FloatDType } = {},
): AttentionInputs<HostTensor> {
  const { dtype = "float32", ...rest } = more;
  const column = (x: readonly number[]): HostTensor =>
    fromFloat64(Float64Array.from(x), [1, 1, x.length, 1], dtype);
  return { query: column([1]), key: column(logits), value: column(values), scale: 1, ...rest };
}

const of = (
  name: Parameters<typeof allowance>[0],
  inputs: AttentionInputs<HostTensor>,
  expected = 0,
) =>
  allowance(
    name,
    0,
    expected,
    naiveAttention({ ...inputs, returns: { logSumExp: true, weights: true, scores: "raw" } }),
    "float32",
    ieee754,
  );

describe("beside the naive evaluation's error, an output is allowed", () => {
  test("eight roundings of its largest value, where logits are 0", () => {
    expect(of("output", call([0, 0], [3, -5]))).toBe(8 * u * 5 + 2 * tiny + 2 * tiny);
  });

  test("no more for a larger value that its row does not see", () => {
    const hidden = { mask: tensor(Uint8Array.of(1, 0), [1, 2], { dtype: "bool" as const }) };
    expect(of("output", call([0, 0], [3, -5], hidden))).toBe(8 * u * 3 + 4 * tiny);
  });

  test("what rounding its largest logit once moves its weights by", () => {
    expect(of("output", call([0, -40], [1, 1]))).toBe((8 * u + 2 * u * 40) * 1 + 4 * tiny);
  });

  test("nothing for logits below e^−104 of the largest, of which float32 has nothing left", () => {
    expect(of("output", call([0, -104], [1, 1]))).toBe((8 * u + 2 * u * 104) * 1 + 4 * tiny);
    expect(of("output", call([0, -105], [1, 1]))).toBe(8 * u + 4 * tiny);
  });

  test("no more than the score where a bias as large as −3.4·10³⁸ swallows it", () => {
    const lowest = -3.4028234663852886e38;
    const bias = tensor(Float32Array.of(lowest, lowest), [1, 2]);
    expect(of("output", call([0, 8], [1, 1], { bias }))).toBe(8 * u + 2 * 8 + 4 * tiny);
  });

  test("that subnormal numbers are flushed, on a GPU", () => {
    const naive = naiveAttention(call([0], [0]));
    expect(allowance("output", 0, 0, naive, "float32", ieee754)).toBe(3 * tiny);
    expect(allowance("output", 0, 0, naive, "float32", relaxed)).toBe(3 * 2 ** -126);
  });
});

describe("a dot product is allowed", () => {
  // Its terms cancel: P, the sum of magnitudes, is 2 · 100.
  const cancelling: AttentionInputs<HostTensor> = {
    query: tensor(Float32Array.of(1, 1), [1, 1, 1, 2]),
    key: tensor(Float32Array.of(100, -100), [1, 1, 1, 2]),
    value: tensor(Float32Array.of(1, 1), [1, 1, 1, 2]),
    scale: 1,
  };
  const dot = (Math.SQRT2 + 2) * u * 200;

  test("by the size of its terms, in a score and in a log-sum-exp", () => {
    expect(of("scores", cancelling)).toBe(dot + 2 * tiny);
    expect(of("logSumExp", cancelling)).toBe(8 * u + dot);
  });

  test("not in an output or a weight, where the naive evaluation shows it", () => {
    expect(of("weights", cancelling)).toBe(8 * u + 2 * tiny);
    expect(of("output", cancelling)).toBe(8 * u + 2 * tiny + tiny);
  });

  test("by the scale's magnitude too", () => {
    expect(of("scores", { ...cancelling, scale: -0.5 })).toBe(dot / 2 + 2 * tiny);
  });
});

describe("a score is allowed", () => {
  const zero = call([0], [1]);

  test("two roundings of its own magnitude, and none of an infinite one", () => {
    expect(of("scores", zero, -6)).toBe(2 * u * 6 + 2 * tiny);
    expect(of("scores", zero, Number.NEGATIVE_INFINITY)).toBe(2 * tiny);
  });

  test("eight roundings of the softcap", () => {
    expect(of("scores", { ...zero, softcap: 30 })).toBe(8 * u * 30 + 2 * tiny);
  });
});

test("float64's oracle is no better than what it judges, and its error is allowed too", () => {
  const u64 = 2 ** -53;
  const naive = naiveAttention(call([3, 3, 3, 3], [2, 2, 2, 2], { dtype: "float64" }));
  // Σ|scale·q·k| is 3, keys are 4, and tiny is not to be seen beside it.
  expect(allowance("output", 0, 0, naive, "float64", ieee754)).toBeCloseTo(
    (8 * u64 + 2 * u64 * 3 + u64 * (2 * 3 + 2)) * 2,
    20,
  );
});

test("twice the naive evaluation's error, and three times with softcap", () => {
  expect(naiveFactor(call([0], [1]))).toBe(2);
  expect(naiveFactor(call([0], [1], { softcap: 30 }))).toBe(3);
});

describe("rules that no logit excuses", () => {
  test("let sums of weights be off by a rounding each of numerator and denominator", () => {
    const naive = naiveAttention(call([500, 0, 0], [7, 1, 1]));
    expect(sumAllowance(naive)).toBe(8 * u + 2 * 3 * u);
    expect(hullAllowance(0, naive, "float32", ieee754)).toBe((8 + 6) * u * 7 + 2 * tiny + 3 * tiny);
  });

  test("count float16's final rounding by float16, and its sums by float32", () => {
    const naive = naiveAttention(call([0, 0], [1, 1], { dtype: "float16" }));
    expect(sumAllowance(naive)).toBe(8 * 2 ** -11 + 2 * 2 * u);
  });
});

test("what is not finite allows for nothing", () => {
  expect([Number.NaN, -Infinity, Infinity, -2].map(finiteOr0)).toEqual([0, 0, 0, -2]);
});
