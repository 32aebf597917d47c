import {
  type AttentionInputs,
  type Backend,
  describeProblem,
  type HostTensor,
  tensor,
  toFloat64,
  zeros,
} from "@heed/core";
import * as p from "@heed/core/program";
import { expect } from "vitest";

const extremes = [0, 1, -1, 2, -2, 7, -7, 64, 1000003, 2 ** 31 - 1, -(2 ** 31), -(2 ** 31) + 1];
const fractions = [0, -0, 1, -1, 0.5, -0.75, 2.5, 3e9, -3e9, 2 ** 31, 1e30, 2 ** -7];
const ints = p.table(tensor(Int32Array.from(extremes), [extremes.length]));
const floats = p.table(tensor(Float32Array.from(fractions), [fractions.length]));
const bools = p.table(tensor([true, false, true, true, false, true, false, false], [2, 1, 2, 2]));
const count = extremes.length;

type Variables = Parameters<Extract<Parameters<typeof p.scoreMod>[0], (v: never) => unknown>>[0];
const ofInts = [p.add, p.subtract, p.multiply, p.floorDivide, p.remainder, p.minimum, p.maximum];
const comparisons = [p.equal, p.notEqual, p.less, p.lessEqual, p.greater, p.greaterEqual];

/** A number of each operation, as float32: one a batch entry, for each pair of a query's and a key's operand. */
const operations: readonly ((v: Variables) => p.NumberExpression)[] = [
  ...ofInts.map(
    (apply) =>
      ({ queryIndex, keyIndex }: Variables) =>
        apply(ints.at(queryIndex), ints.at(keyIndex)),
  ),
  ...[3, -3, 1, -1, 0, 8].flatMap((divisor) => [
    ({ keyIndex }: Variables) => p.floorDivide(ints.at(keyIndex), divisor),
    ({ keyIndex }: Variables) => p.remainder(ints.at(keyIndex), divisor),
    ({ keyIndex }: Variables) => p.floorDivide(floats.at(keyIndex), divisor + 0.5),
  ]),
  ({ keyIndex }) => p.negative(ints.at(keyIndex)),
  ({ keyIndex }) => p.abs(ints.at(keyIndex)),
  ...comparisons.flatMap((apply) => [
    ({ queryIndex, keyIndex }: Variables) =>
      p.astype(apply(ints.at(queryIndex), ints.at(keyIndex)), "int32"),
    ({ queryIndex, keyIndex }: Variables) =>
      p.astype(apply(floats.at(queryIndex), floats.at(keyIndex)), "float32"),
  ]),
  ...[p.add, p.subtract, p.multiply, p.minimum, p.maximum, p.floorDivide, p.divide].map(
    (apply) =>
      ({ queryIndex, keyIndex }: Variables) =>
        apply(floats.at(queryIndex), floats.at(keyIndex)),
  ),
  ({ queryIndex }) => p.divide(floats.at(queryIndex), 0),
  ({ queryIndex }) => p.remainder(p.minimum(floats.at(queryIndex), 3), 0.75),
  ...[p.negative, p.abs, p.floor, p.tanh].map(
    (apply) =>
      ({ keyIndex }: Variables) =>
        apply(floats.at(keyIndex)),
  ),
  ({ keyIndex }) => p.sqrt(p.abs(floats.at(keyIndex))),
  ({ keyIndex }) => p.exp(p.minimum(floats.at(keyIndex), 3)),
  ({ keyIndex }) => p.log(p.add(p.abs(floats.at(keyIndex)), 1)),
  // A score of −∞, which the log of 0 is, or of NaN, shows as itself.
  ({ keyIndex }) => p.astype(p.less(p.log(p.multiply(ints.at(keyIndex), 0)), -1e38), "int32"),
  ({ keyIndex }) => p.astype(floats.at(keyIndex), "int32"),
  ({ queryIndex, keyIndex }) =>
    p.astype(p.multiply(floats.at(keyIndex), p.astype(queryIndex, "float32")), "int32"),
  ({ keyIndex }) => p.astype(p.astype(floats.at(keyIndex), "bool"), "int32"),
  ({ keyIndex }) => p.astype(p.astype(ints.at(keyIndex), "bool"), "float32"),
  // Indices outside of a table's axes, of which one has size 1.
  ({ batch, queryIndex, keyIndex }) =>
    p.astype(bools.at(p.subtract(queryIndex, 4), keyIndex, ints.at(queryIndex), batch), "int32"),
  ({ queryIndex, keyIndex }) => {
    const [a, b] = [p.less(queryIndex, keyIndex), p.equal(p.remainder(keyIndex, 3), 0)];
    const bits = [
      p.and(a, b),
      p.or(a, b),
      p.not(a),
      p.equal(a, b),
      p.notEqual(a, b),
      p.where(a, b, p.not(b)),
    ];
    return bits
      .map((bit, n) => p.multiply(p.astype(bit, "int32"), 2 ** n))
      .reduce((sum, bit) => p.add(sum, bit));
  },
];

/** Scores of all operations by one program, `batch` after `batch`. */
const all = p.scoreMod((variables) =>
  operations.reduce<p.NumberExpression>(
    (rest, operation, n) =>
      p.where(p.equal(variables.batch, n), p.astype(operation(variables), "float32"), rest),
    variables.score,
  ),
);

/**
 * Runs all operations, on operands at the ends of their types, and compares each result with its definition.
 *
 * @param within relative error that a result of floats may have
 */
export async function expectOperations(
  backend: Backend,
  dtype: "float32" | "float64",
  within: number,
): Promise<void> {
  const x = zeros(dtype, [operations.length, 1, count, 8]) as HostTensor;
  const call: AttentionInputs<HostTensor> = {
    query: x,
    key: x,
    value: x,
    scoreMod: all,
    returns: { scores: "biased" },
  };
  const plan = await backend.plan(describeProblem(call));
  const { scores } = await plan.run(call);
  plan.dispose();
  const found = toFloat64(scores as HostTensor);
  const evaluate = p.programEvaluator(p.bindProgram(all));
  const wrong: string[] = [];
  for (let at = 0; at < found.length; at++) {
    const [batch, i, j] = [Math.floor(at / count ** 2), Math.floor(at / count) % count, at % count];
    const place = { query: i, key: j, queryIndex: i, keyIndex: j };
    const exact = evaluate({ batch, head: 0, ...place, score: 0 });
    const expected = dtype === "float32" ? Math.fround(exact) : exact;
    const got = found[at] as number;
    if (Object.is(got, expected) || Math.abs(got - expected) <= within * Math.abs(expected))
      continue;
    wrong.push(`operation ${batch} at ${i}, ${j}: ${got}, not ${expected}`);
  }
  expect(wrong).toEqual([]);
}
