import { caseInputs, judge, passes, relaxed } from "@heed/conformance";
import {
  type AttentionInputs,
  cast,
  fromFloat64,
  type HostTensor,
  referenceAttention,
  tensor,
  toFloat64,
} from "@heed/core";
import { describe, expect, test } from "vitest";

type Call = AttentionInputs<HostTensor>;

const row = (...values: number[]): HostTensor =>
  tensor(Float32Array.from(values), [1, 1, values.length, 1]);

/** Two query rows; the first is causal and sees key 0 alone. */
const call: Call = {
  query: row(1, 1),
  key: row(0, Number.NaN),
  value: row(10, 20),
  causal: true,
  returns: { logSumExp: true, weights: true },
};

/** The right outputs of a call, rounded. */
function right(inputs: Call): { output: HostTensor; logSumExp: HostTensor; weights: HostTensor } {
  const exact = referenceAttention(inputs);
  return Object.fromEntries(
    Object.entries(exact).map(([name, t]) => [name, cast(t, "float32")]),
  ) as never;
}

function with_(t: HostTensor, at: number, x: number): HostTensor {
  const values = toFloat64(t);
  values[at] = x;
  return fromFloat64(values, t.shape, t.dtype);
}

describe("a row that sees NaN", () => {
  const outputs = right(call);

  test("is NaN on a CPU, and other rows are as they are", () => {
    expect([...toFloat64(outputs.output)]).toEqual([10, Number.NaN]);
    expect(passes(judge(call, outputs))).toBe(true);
    for (const [name, at, x] of [
      ["output", 1, 0],
      ["output", 1, 10],
      ["output", 0, Number.NaN],
      ["logSumExp", 1, Number.NEGATIVE_INFINITY],
      ["weights", 3, 1],
      ["weights", 1, Number.NaN],
    ] as const) {
      const wrong = { ...outputs, [name]: with_(outputs[name], at, x) };
      expect([name, at, x, passes(judge(call, wrong))]).toEqual([name, at, x, false]);
    }
  });

  test("may hold anything elsewhere, and other rows may not", () => {
    const anything = {
      output: with_(outputs.output, 1, 123),
      logSumExp: with_(outputs.logSumExp, 1, -5),
      weights: with_(with_(outputs.weights, 2, 3), 3, -1),
    };
    expect(passes(judge(call, anything, undefined, relaxed))).toBe(true);
    const wrong = { ...anything, output: with_(anything.output, 0, 11) };
    expect(passes(judge(call, wrong, undefined, relaxed))).toBe(false);
  });
});

test("a value of NaN spoils its column alone", () => {
  const value = tensor(Float32Array.of(1, 2, 3, Number.NaN), [1, 1, 2, 2]);
  const inputs: Call = { ...call, key: row(0, 0), value, causal: false };
  const outputs = right(inputs);
  expect([...toFloat64(outputs.output)]).toEqual([2, Number.NaN, 2, Number.NaN]);
  expect(passes(judge(inputs, outputs))).toBe(true);
  const spoilt = { ...outputs, output: with_(outputs.output, 0, Number.NaN) };
  expect(passes(judge(inputs, spoilt))).toBe(false);
});

describe("products that overflow float32", () => {
  const inputs: Call = {
    query: row(1e20),
    key: row(1e20, 0),
    value: row(1, 2),
    scale: 1e-38,
    returns: { logSumExp: true },
  };
  const { output, logSumExp } = right(inputs);

  test.each([
    ["the right number", toFloat64(output)[0] as number, true],
    ["NaN", Number.NaN, true],
    ["the other key's value", 2, false],
    ["0", 0, false],
  ])("may give NaN or the right number: %s", (_, x, good) => {
    const got = { output: with_(output, 0, x), logSumExp };
    expect(passes(judge(inputs, got))).toBe(good);
  });
});

describe("float16 logits beyond 65,504", () => {
  const inputs = caseInputs({
    id: "beyond",
    spec: {
      queryLength: 3,
      keyLength: 9,
      dtype: "float16",
      values: "scores-beyond-float16",
      returns: { logSumExp: true },
    },
  });
  const exact = referenceAttention(inputs);
  const output = cast(exact.output, "float16");
  const sums = toFloat64(exact.logSumExp as HostTensor);

  test("are beyond it", () => {
    expect(Math.max(...sums)).toBeGreaterThan(65_504);
  });

  test("have a budget: a rounded log-sum-exp passes, and a wrong one does not", () => {
    const of = (change: (x: number) => number) => ({
      output,
      logSumExp: fromFloat64(sums.map(change), (exact.logSumExp as HostTensor).shape, "float32"),
    });
    const verdict = judge(
      inputs,
      of((x) => x),
    );
    expect(verdict.budgets).toBeLessThanOrEqual(1);
    expect(passes(verdict)).toBe(true);
    expect(
      passes(
        judge(
          inputs,
          of((x) => x * 1.01),
        ),
      ),
    ).toBe(false);
    expect(
      passes(
        judge(
          inputs,
          of(() => 65_504),
        ),
      ),
    ).toBe(false);
  });
});
