/** Calls in parts: every division of every kind of call is the call, and its parts are the problems that they are said to be. */
import {
  type AttentionInputs,
  attention,
  type BoundAttention,
  bindAttention,
  describeProblem,
  deviceTensor,
  type HostTensor,
  referenceAttention,
  type Tensor,
  tensor,
  toFloat64,
  transpose,
} from "@heed/core";
import {
  add,
  createBlockMask,
  less,
  lessEqual,
  maskMod,
  multiply,
  scoreMod,
  subtract,
} from "@heed/core/program";
import { describe, expect, test } from "vitest";
import { Assembly } from "../src/attention/division/assemble.js";
import { describeDivision, divisions, partProblems } from "../src/attention/division/divide.js";
import { partCall } from "../src/attention/division/part-inputs.js";
import { partProblem } from "../src/attention/division/part-problem.js";
import { mostPieces, obstacle, partsOf, undivided } from "../src/attention/division/parts.js";
import { outputsOf } from "../src/operation/operation.js";
import { roundOutputs } from "../src/operation/reference-kernels.js";

type Call = AttentionInputs<HostTensor>;

const count = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
const filled = (...shape: number[]): HostTensor<"float32"> =>
  tensor(
    Float32Array.from({ length: count(shape) }, (_, i) => Math.sin(shape.length + 1.3 * i)),
    shape,
  );
const int32 = (values: readonly number[], ...shape: number[]) =>
  tensor(Int32Array.from(values), shape);
const int8 = (...shape: number[]) =>
  tensor(
    Int8Array.from({ length: count(shape) }, (_, i) => ((i * 37) % 255) - 127),
    shape,
  );
const bools = (...shape: number[]) =>
  tensor(
    Array.from({ length: count(shape) }, (_, i) => i % 3 !== 1),
    shape,
  );

const [batch, heads, kvHeads, queries, keys] = [2, 4, 2, 5, 7];
const base = {
  query: filled(batch, heads, queries, 3),
  key: filled(batch, kvHeads, keys, 3),
  value: filled(batch, kvHeads, keys, 2),
};
const positions = (rows: number, length: number, by: number) =>
  int32(
    Array.from({ length: rows * length }, (_, i) => ((i * by) % 11) - 2),
    rows,
    length,
  );
const near = maskMod(({ query, key }) => less(subtract(query, key), 3));
const slope = scoreMod(({ score, query, key }) => add(score, multiply(subtract(query, key), 0.1)));
const blocks = (rows: number, columns: number, batches = 1, ofHeads = 1) => ({
  queryBlock: rows,
  keyBlock: columns,
  mask: bools(batches, ofHeads, Math.ceil(queries / rows), Math.ceil(keys / columns)),
});
const paged = {
  query: base.query,
  key: filled(6, kvHeads, 2, 3),
  value: filled(6, kvHeads, 2, 2),
  pageTable: int32([3, 1, 0, 5, 2, 4, -1, -1], 2, 4),
  kvLengths: [7, 4],
};
const ragged = {
  query: filled(1, heads, 6, 3),
  key: filled(1, kvHeads, 9, 3),
  value: filled(1, kvHeads, 9, 2),
  queryStarts: [0, 2, 2, 6],
  keyStarts: [0, 4, 5, 9],
};

const calls: Readonly<Record<string, Call>> = {
  plain: base,
  "views of other orders": {
    query: transpose(filled(batch, queries, heads, 3), [0, 2, 1, 3]) as HostTensor,
    key: transpose(filled(batch, keys, kvHeads, 3), [0, 2, 1, 3]) as HostTensor,
    value: transpose(filled(batch, keys, kvHeads, 2), [0, 2, 1, 3]) as HostTensor,
  },
  "a mask and a bias of everything": {
    ...base,
    mask: bools(batch, heads, queries, keys),
    bias: filled(batch, heads, queries, keys),
  },
  "a mask and a bias that broadcast": {
    ...base,
    mask: bools(batch, 1, 1, keys),
    bias: filled(heads, queries, 1),
  },
  "a mask of keys and a bias of a number": { ...base, mask: bools(keys), bias: filled(1) },
  "lengths at the bottom right": {
    ...base,
    causal: true,
    queryOffset: "bottom-right",
    kvLengths: [7, 3],
  },
  "a length at the top left": { ...base, causal: true, queryOffset: 0, kvLengths: [0, 6] },
  "offsets and a window": { ...base, window: { left: 2, right: 1 }, queryOffset: [4, -1] },
  "an offset, slopes and sinks": {
    ...base,
    queryOffset: 2,
    alibiSlopes: [0.1, 0.2, 0.3, 0.4],
    sinks: [0, 1, -1, 0.5],
  },
  "bottom right without lengths": { ...base, causal: true, queryOffset: "bottom-right" },
  "an offset that nothing needs": { ...base, queryOffset: 3, softcap: 2, scale: 0.7 },
  "int8 keys": {
    query: base.query,
    key: int8(batch, kvHeads, keys, 3),
    value: int8(batch, kvHeads, keys, 2),
    keyScales: filled(batch, kvHeads, keys),
    valueScales: filled(batch, kvHeads, keys),
  },
  pages: paged,
  "pages and positions": { ...paged, causal: true, queryOffset: "bottom-right" },
  "pages and a block mask": { ...paged, blockMask: { ...blocks(2, 4), mask: bools(1, 1, 3, 2) } },
  "query positions for all": { ...base, causal: true, queryPositions: positions(1, queries, 3) },
  "query positions of batches": {
    ...base,
    causal: true,
    queryPositions: positions(batch, queries, 3),
  },
  "key positions for all": { ...base, causal: true, keyPositions: positions(1, keys, 4) },
  "key positions of batches": {
    ...base,
    window: { left: 3 },
    keyPositions: positions(batch, keys, 4),
  },
  "positions of both": {
    ...base,
    causal: true,
    queryPositions: positions(1, queries, 3),
    keyPositions: positions(batch, keys, 4),
    kvLengths: [7, 5],
  },
  "a mask program": { ...base, maskMod: near },
  "a mask program and an offset": { ...base, maskMod: near, queryOffset: 2 },
  "programs and offsets of batches": {
    ...base,
    maskMod: near,
    scoreMod: slope,
    causal: true,
    queryOffset: [3, 1],
  },
  "a score program at the bottom right": {
    ...base,
    scoreMod: slope,
    causal: true,
    queryOffset: "bottom-right",
    kvLengths: [7, 4],
  },
  "programs and positions": {
    ...base,
    scoreMod: slope,
    queryPositions: positions(batch, queries, 3),
  },
  "a program of heads": {
    ...base,
    scoreMod: scoreMod(({ score, head }) => multiply(score, add(head, 1))),
  },
  "a program of batch entries": {
    ...base,
    scoreMod: scoreMod(({ score, batch }) => multiply(score, add(batch, 1))),
  },
  "a program of indices": {
    ...base,
    maskMod: maskMod(({ queryIndex, keyIndex }) => lessEqual(keyIndex, queryIndex)),
  },
  "a block mask": { ...base, blockMask: blocks(2, 3) },
  "a block mask of batches and heads": { ...base, blockMask: blocks(3, 2, batch, heads) },
  "a block mask of a program": {
    ...base,
    maskMod: near,
    queryOffset: 1,
    blockMask: createBlockMask(near, {
      ...{ batch, heads, queryLength: queries, keyLength: keys },
      ...{ queryBlock: 2, keyBlock: 2, queryOffset: 1 },
    }),
  },
  ragged,
  "a ragged batch with rules": {
    ...ragged,
    causal: true,
    queryOffset: "bottom-right",
    kvLengths: [3, 0, 4],
    sinks: [0, 1, -1, 0.5],
    alibiSlopes: [0.1, 0.2, 0.3, 0.4],
    bias: filled(heads, 1, 1),
  },
  "a ragged batch with a block mask": {
    ...ragged,
    blockMask: { queryBlock: 3, keyBlock: 2, mask: bools(3, heads, 3, 4) },
  },
  "a ragged batch with a block mask for all": {
    ...ragged,
    blockMask: { queryBlock: 3, keyBlock: 2, mask: bools(1, 1, 2, 3) },
  },
  "a ragged batch with positions": { ...ragged, causal: true, keyPositions: positions(1, 9, 4) },
  "a ragged batch in pages": {
    ...paged,
    query: ragged.query,
    queryStarts: [0, 2, 6],
    causal: true,
    queryOffset: [1, 2],
  },
  weights: { ...base, returns: { weights: true, logSumExp: true } },
  "scores, raw": { ...base, returns: { scores: "raw" } },
  "scores, biased": {
    ...base,
    bias: filled(queries, keys),
    causal: true,
    queryOffset: 1,
    returns: { scores: "biased", logSumExp: true },
  },
  "one head, one query": {
    query: filled(1, 1, 1, 3),
    key: filled(1, 1, keys, 3),
    value: filled(1, 1, keys, 2),
  },
  "no keys": { ...base, key: filled(batch, kvHeads, 0, 3), value: filled(batch, kvHeads, 0, 2) },
};

const mostParts = 50;

describe.each(Object.entries(calls))("%s", (_, call) => {
  const problem = describeProblem(call);
  const bound = bindAttention(problem, call) as BoundAttention;
  const all = [...divisions(problem)];

  test("is the same in parts", () => {
    const operands = outputsOf(attention.operands(problem));
    const expected = roundOutputs(operands, referenceAttention(call)) as unknown as Record<
      string,
      HostTensor
    >;
    for (const division of all) {
      const parts = partsOf(problem, division);
      if (parts.length > mostParts) continue;
      const whole = new Assembly(operands, problem.keyLength);
      const problems = new Set<string>();
      for (const part of parts) {
        const { inputs } = partCall(bound, part);
        const described = describeProblem(inputs);
        expect(partProblem(problem, part).key).toBe(described.key);
        problems.add(described.key);
        const outputs = referenceAttention(inputs as Call);
        whole.add(part, roundOutputs(attention.operands(described), outputs) as never);
      }
      expect(new Set(partProblems(problem, division).map(({ key }) => key))).toEqual(problems);
      expect(Object.keys(whole.outputs)).toEqual(operands.map(({ name }) => name));
      for (const { name } of operands) {
        const [given, right] = [whole.outputs[name], expected[name]] as [HostTensor, HostTensor];
        expect(given.shape).toEqual(right.shape);
        const [a, b] = [toFloat64(given), toFloat64(right)];
        const wrong = a.findIndex(
          (x, at) => !Object.is(x, b[at]) && !(Math.abs(x - (b[at] as number)) < 1e-5),
        );
        expect([describeDivision(division), name, wrong]).toEqual([
          describeDivision(division),
          name,
          -1,
        ]);
      }
    }
  });

  test("is divided along each axis that has no obstacle, as far as it goes", () => {
    for (const axis of ["batch", "heads", "rows", "keys"] as const) {
      const most = mostPieces(problem, axis);
      const along = all.filter((division) => division[axis] > 1);
      if (obstacle(problem, axis) !== null) expect(most).toBe(1);
      expect(Math.max(1, ...along.map((division) => division[axis]))).toBe(most);
      if (most > 1) expect(all).toContainEqual({ ...undivided, [axis]: most });
    }
  });
});

test("divisions come in the order of their cost", () => {
  const order = [...divisions(describeProblem(base))].map(describeDivision);
  expect(order).toEqual([
    "2 of the batch",
    "2 of heads",
    "4 of heads",
    "2 of rows",
    "4 of rows",
    "5 of rows",
    "2 of the batch, 2 of heads",
    "2 of the batch, 4 of heads",
    "2 of the batch, 4 of heads, 2 of rows",
    "2 of the batch, 4 of heads, 4 of rows",
    "2 of the batch, 4 of heads, 5 of rows",
    "2 of keys",
    "4 of keys",
    "7 of keys",
    "2 of the batch, 4 of heads, 5 of rows, 2 of keys",
    "2 of the batch, 4 of heads, 5 of rows, 4 of keys",
    "2 of the batch, 4 of heads, 5 of rows, 7 of keys",
  ]);
  const long = { query: filled(1, 1, 3000, 1), key: filled(1, 1, 1, 1), value: filled(1, 1, 1, 1) };
  const parts = [...divisions(describeProblem(long))].map((division) => division.rows);
  expect(parts).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]);
});

test.each([
  [
    "a ragged batch",
    "a ragged batch",
    ["batch", "rows", "keys"],
    "the lengths of a ragged batch are data",
  ],
  ["batch", "a program of batch entries", ["batch"], "a program reads batch"],
  ["head", "a program of heads", ["heads"], "a program reads head"],
  ["positions of no rule", "a mask program", [], ""],
  ["weights", "weights", ["keys"], "weights are normalised over all keys"],
] as const)("what stands against a division: %s", (_, name, axes, reason) => {
  const problem = describeProblem((calls[name] ?? ragged) as Call);
  const found = (["batch", "heads", "rows", "keys"] as const).filter(
    (axis) => obstacle(problem, axis) !== null,
  );
  expect(found).toEqual(axes);
  for (const axis of found) expect(obstacle(problem, axis)).toBe(reason);
});

test("views of device tensors are released with their part, and nothing else is", () => {
  const log: string[] = [];
  const held = (name: string, shape: readonly number[], dtype = "float32" as const): Tensor =>
    deviceTensor(
      { backend: "gpu", read: async () => filled(1), release: () => log.push(name) },
      { dtype, shape },
    );
  const call = {
    query: held("query", base.query.shape),
    key: held("key", base.key.shape),
    value: held("value", base.value.shape),
    bias: held("bias", [heads, 1, keys]),
  } as AttentionInputs;
  const problem = describeProblem(call);
  const bound = bindAttention(problem, call) as BoundAttention;
  const division = { batch: 2, heads: 2, rows: 1, keys: 2 };
  const seen: Tensor[] = [];
  for (const part of partsOf(problem, division)) {
    const { inputs, dispose } = partCall(bound, part);
    expect(inputs.query).not.toBe(call.query);
    expect(inputs.bias?.shape).toEqual([heads / 2, 1, (inputs.key.shape as number[])[2]]);
    seen.push(inputs.query, inputs.key, inputs.value, inputs.bias as Tensor);
    dispose();
  }
  expect(seen.map((t) => (t as { disposed?: boolean }).disposed)).toEqual(seen.map(() => true));
  expect(log).toEqual([]);
  for (const t of Object.values(call)) (t as { dispose(): void }).dispose();
  expect(log).toEqual(["query", "key", "value", "bias"]);
});
