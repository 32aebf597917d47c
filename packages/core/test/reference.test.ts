import {
  type AttentionInputs,
  broadcastTo,
  type HostTensor,
  mergePartials,
  reference,
  referenceAttention,
  slice,
  tensor,
  toFloat64,
  zeros,
} from "@heed/core";
import { describe, expect, test } from "vitest";

const f64 = (values: number[], ...shape: number[]): HostTensor =>
  tensor(Float64Array.from(values), shape);

/** One head, head size 1: scores are query · key, written out by hand. */
const call = (changes: Partial<AttentionInputs<HostTensor>> = {}): AttentionInputs<HostTensor> => ({
  query: f64([1, 2, 3], 1, 1, 3, 1),
  key: f64([0, 1, 2], 1, 1, 3, 1),
  value: f64([10, 20, 30], 1, 1, 3, 1),
  scale: 1,
  returns: { logSumExp: true, weights: true, scores: "biased" },
  ...changes,
});

const run = (changes: Partial<AttentionInputs<HostTensor>> = {}) => {
  const outputs = referenceAttention(call(changes));
  return {
    output: toFloat64(outputs.output),
    logSumExp: toFloat64(outputs.logSumExp as HostTensor),
    weights: toFloat64(outputs.weights as HostTensor),
    scores: toFloat64(outputs.scores as HostTensor),
  };
};

const softmax = (...logits: number[]): number[] => {
  const sum = logits.reduce((total, s) => total + Math.exp(s), 0);
  return logits.map((s) => Math.exp(s) / sum);
};

const closeTo = (got: ArrayLike<number>, expected: number[]): void => {
  expect(got.length).toBe(expected.length);
  for (const [i, want] of expected.entries()) {
    if (Number.isFinite(want)) expect(got[i]).toBeCloseTo(want, 12);
    else expect(got[i]).toBe(want);
  }
};

describe("the reference, against numbers by hand", () => {
  test("softmax of the scores, and the weighted sum", () => {
    const { weights, output, logSumExp } = run();
    const rows = [softmax(0, 1, 2), softmax(0, 2, 4), softmax(0, 3, 6)];
    closeTo(weights, rows.flat());
    closeTo(
      output,
      rows.map(([a, b, c]) => 10 * (a as number) + 20 * (b as number) + 30 * (c as number)),
    );
    closeTo(
      logSumExp,
      [1, 2, 3].map((q) => Math.log(1 + Math.exp(q) + Math.exp(2 * q))),
    );
  });

  test("causal by position; rows before the first key are empty", () => {
    closeTo(run({ causal: true }).weights, [1, 0, 0, ...softmax(0, 2), 0, ...softmax(0, 3, 6)]);
    const shifted = run({ causal: true, queryOffset: -1 });
    closeTo(shifted.weights, [0, 0, 0, 1, 0, 0, ...softmax(0, 3), 0]);
    expect(shifted.output[0]).toBe(0);
    expect(shifted.logSumExp[0]).toBe(Number.NEGATIVE_INFINITY);
  });

  test("windows are inclusive at both ends", () => {
    closeTo(run({ window: { left: 1, right: 0 } }).weights, [
      ...[1, 0, 0],
      ...softmax(0, 2),
      0,
      0,
      ...softmax(3, 6),
    ]);
  });

  test("softcap comes before the bias, ALiBi after it, and a sink is neither scaled nor capped", () => {
    const cap = (s: number) => 2 * Math.tanh((0.5 * s) / 2);
    const { weights, scores, logSumExp } = run({
      query: f64([1], 1, 1, 1, 1),
      scale: 0.5,
      softcap: 2,
      bias: f64([0.25, 0, -3], 3),
      alibiSlopes: [0.125],
      queryOffset: 1,
      sinks: [7],
    });
    const logits = [cap(0) + 0.25 - 0.125, cap(1), cap(2) - 3 - 0.125];
    closeTo(scores, logits);
    closeTo(weights, softmax(...logits, 7).slice(0, 3));
    closeTo(logSumExp, [Math.log([...logits, 7].reduce((sum, s) => sum + Math.exp(s), 0))]);
  });

  test("raw, capped and biased scores are unmasked; keys past kvLengths have 0", () => {
    const changes = { softcap: 1, bias: f64([1, 1, 1], 3), causal: true, queryOffset: 0 };
    const row = (scores: "raw" | "capped" | "biased") =>
      run({ ...changes, kvLengths: [2], returns: { ...call().returns, scores } }).scores.slice(
        0,
        3,
      );
    closeTo(row("raw"), [0, 1, 0]);
    closeTo(row("capped"), [0, Math.tanh(1), 0]);
    closeTo(row("biased"), [1, Math.tanh(1) + 1, 0]);
  });

  test("a bias of −∞ hides; an empty row with a sink has the sink as log-sum-exp", () => {
    const bias = f64([0, -Infinity, 0, -Infinity, -Infinity, -Infinity, 0, 0, 0], 3, 3);
    const { weights, output, logSumExp } = run({ bias, sinks: [3] });
    expect(weights[1]).toBe(0);
    expect([...weights.slice(3, 6), output[1]]).toEqual([0, 0, 0, 0]);
    expect(logSumExp[1]).toBe(3);
  });

  test("nothing hidden is read: NaN does not leak", () => {
    const spoilt = {
      key: f64([0, 1, Number.NaN], 1, 1, 3, 1),
      value: f64([10, 20, Number.NaN], 1, 1, 3, 1),
    };
    const returns = { logSumExp: true, weights: true };
    const plain = run({ kvLengths: [2] });
    for (const rule of [
      { kvLengths: [2] },
      { window: { right: 0 }, queryOffset: -1 },
      { mask: tensor([true, true, false], [3]) },
    ]) {
      const got = referenceAttention(call({ ...spoilt, ...rule, returns }));
      for (const t of Object.values(got)) expect(toFloat64(t).some(Number.isNaN)).toBe(false);
    }
    expect(plain.output.some(Number.isNaN)).toBe(false);
  });

  test("query head h uses key head floor(h·Hkv/Hq), through any strides", () => {
    const key = f64([0, 1, 2, 5, 6, 7], 1, 2, 3, 1);
    const query = broadcastTo(f64([1, 2, 3], 1, 1, 3, 1), [1, 4, 3, 1]);
    const value = f64([1, 2, 3, 4, 5, 6], 1, 2, 3, 1);
    const { output } = referenceAttention({ query, key, value, scale: 1 });
    for (let h = 0; h < 4; h++) {
      const g = h >> 1;
      const alone = referenceAttention({
        query: slice(query, 1, h, h + 1),
        key: slice(key, 1, g, g + 1),
        value: slice(value, 1, g, g + 1),
        scale: 1,
      });
      closeTo(toFloat64(slice(output, 1, h, h + 1)), [...toFloat64(alone.output)]);
    }
  });
});

describe("mergePartials", () => {
  const inputs = call({ returns: { logSumExp: true } });
  const part = (start: number, end: number) => {
    const { output, logSumExp } = referenceAttention({
      ...inputs,
      key: slice(inputs.key, 2, start, end),
      value: slice(inputs.value, 2, start, end),
    });
    return { output, logSumExp: logSumExp as HostTensor };
  };

  test("parts of the keys make up the whole, in any order, empty ones included", () => {
    const whole = part(0, 3);
    for (const splits of [
      [0, 1, 3],
      [0, 0, 2, 3],
      [0, 1, 2, 3, 3],
    ]) {
      const parts = splits.slice(1).map((end, p) => part(splits[p] as number, end));
      for (const order of [parts, [...parts].reverse()]) {
        const merged = mergePartials(order);
        closeTo(toFloat64(merged.output), [...toFloat64(whole.output)]);
        closeTo(toFloat64(merged.logSumExp), [...toFloat64(whole.logSumExp)]);
      }
    }
  });

  test("rows that no part saw stay empty, whatever the buffers hold", () => {
    const empty = {
      output: f64([Number.NaN], 1, 1),
      logSumExp: f64([Number.NEGATIVE_INFINITY], 1),
    };
    const merged = mergePartials([empty, empty]);
    expect(toFloat64(merged.output)).toEqual(Float64Array.of(0));
    expect(merged.logSumExp.data[0]).toBe(Number.NEGATIVE_INFINITY);
  });

  test.each([
    ["no parts", [], "parts"],
    ["another shape", [part(0, 1), { ...part(0, 1), output: f64([1], 1, 1) }], "parts[1].output"],
    [
      "another dtype",
      [part(0, 1), { ...part(0, 1), output: zeros("float32", [1, 1, 3, 1]) }],
      "parts[1].output",
    ],
    [
      "a log-sum-exp of another shape",
      [{ ...part(0, 1), logSumExp: f64([1], 1) }],
      "parts[0].logSumExp",
    ],
    ["no tensors", [{} as ReturnType<typeof part>], "parts[0].output"],
  ])("refuses %s", (_, parts, argument) => {
    expect(() => mergePartials(parts)).toThrow(expect.objectContaining({ argument }));
  });
});

test("as a backend, the reference says where it runs", async () => {
  expect((await reference().load()).info).toEqual({
    ...{ runtime: "JavaScript", device: "CPU", features: [], threads: 1 },
  });
});
