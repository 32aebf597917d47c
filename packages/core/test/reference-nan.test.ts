import {
  type AttentionInputs,
  type HostTensor,
  referenceAttention,
  tensor,
  toFloat64,
} from "@heed/core";
import { describe, expect, test } from "vitest";

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

const f32 = (values: readonly number[], length: number): HostTensor =>
  tensor(Float32Array.from(values), [1, 1, length, values.length / length]);

/** One query row of head size 1 over keys that each have the value given. */
const run = (changes: Partial<AttentionInputs<HostTensor>>) => {
  const { output, logSumExp, weights } = referenceAttention({
    query: f32([1], 1),
    key: f32([0, 0], 2),
    value: f32([10, 20], 2),
    scale: 1,
    returns: { logSumExp: true, weights: true },
    ...changes,
  });
  return [output, logSumExp, weights].map((t) => [...toFloat64(t as HostTensor)]);
};

describe("a row that sees NaN or +∞ is NaN", () => {
  test.each<[string, Partial<AttentionInputs<HostTensor>>]>([
    ["a query of NaN", { query: f32([nan], 1) }],
    ["a key of NaN", { key: f32([0, nan], 2) }],
    ["a key of +∞", { key: f32([0, inf], 2) }],
    ["a bias of NaN", { bias: f32([nan, 0], 1) }],
    ["a bias of +∞", { bias: f32([0, inf], 1) }],
    ["a query of 0 and a key of −∞", { query: f32([0], 1), key: f32([0, -inf], 2) }],
    ["a key of NaN, although there is a sink", { key: f32([nan, 0], 2), sinks: [3] }],
  ])("%s", (_, changes) => {
    expect(run(changes)).toEqual([[nan], [nan], [nan, nan]]);
  });

  test("hidden keys of such a row have the weight 0", () => {
    expect(run({ key: f32([nan, 0], 2), mask: tensor([true, false], [2]) })).toEqual([
      [nan],
      [nan],
      [nan, 0],
    ]);
  });

  test("but not its neighbours", () => {
    const query = f32([1, nan, 1], 3);
    const { output } = referenceAttention({ query, key: f32([0, 0], 2), value: f32([10, 20], 2) });
    expect([...toFloat64(output)]).toEqual([15, nan, 15]);
  });
});

describe("what is hidden has no influence, whatever it holds", () => {
  type Changes = Partial<AttentionInputs<HostTensor>>;
  const mask = tensor([true, false], [2]);
  const hiding = f32([0, -inf], 1);
  const cases = [nan, inf, -inf].flatMap((x): [string, Changes][] => [
    [`value ${x}, mask`, { value: f32([10, x], 2), mask }],
    [`key ${x}, mask`, { key: f32([0, x], 2), mask }],
    [`bias ${x}, mask`, { bias: f32([0, x], 1), mask }],
    [`value ${x}, bias −∞`, { value: f32([10, x], 2), bias: hiding }],
    [`key ${x}, bias −∞`, { key: f32([0, x], 2), bias: hiding }],
    [`key ${x}, causal`, { key: f32([0, x], 2), causal: true, queryOffset: 0 }],
    [`key ${x}, kvLengths`, { key: f32([0, x], 2), kvLengths: [1] }],
  ]);
  test.each<[string, Changes]>([
    ...cases,
    ["value NaN, product −∞", { value: f32([10, nan], 2), key: f32([0, -inf], 2) }],
  ])("%s", (_, changes) => {
    expect(run(changes)).toEqual([[10], [0], [1, 0]]);
  });
});
