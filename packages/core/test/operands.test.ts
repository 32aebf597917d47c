/** The tensors of a call of attention by name: those that it reads, in the order in which a bound call has them, and its outputs. */
import {
  type AttentionInputs,
  attention,
  describeProblem,
  type HostTensor,
  tensor,
  zeros,
} from "@heed/core";
import { expect, test } from "vitest";

const f32 = (...shape: number[]) => zeros("float32", shape);
const plain = { query: f32(2, 4, 3, 8), key: f32(2, 2, 5, 8), value: f32(2, 2, 5, 6) };
const stored = { key: zeros("int8", [2, 2, 5, 8]), value: zeros("int8", [2, 2, 5, 6]) };
const scales = { keyScales: f32(2, 2, 5), valueScales: f32(2, 2, 5) };
const paged = {
  ...{ query: f32(2, 4, 1, 8), key: f32(5, 2, 3, 8), value: f32(5, 2, 3, 6) },
  ...{ pageTable: tensor(Int32Array.of(4, 0, 2, 1), [2, 2]), kvLengths: [6, 3] },
};

const calls: Readonly<Record<string, AttentionInputs<HostTensor>>> = {
  "query key value > output": plain,
  "query key value mask > output": { ...plain, mask: zeros("bool", [5]) },
  "query key value bias > output": { ...plain, bias: f32(4, 3, 5) },
  "query key value mask bias > output logSumExp": {
    ...plain,
    mask: zeros("bool", [2, 1, 1, 5]),
    bias: f32(1),
    returns: { logSumExp: true },
  },
  "query key value keyScales valueScales bias > output weights": {
    ...{ query: plain.query, ...stored, ...scales, bias: f32(5) },
    returns: { weights: true },
  },
  "query key value > output logSumExp weights scores": {
    ...paged,
    returns: { logSumExp: true, weights: true, scores: "raw" },
  },
};

let keys = 100;
test("are those of a problem that nobody has asked about", () => {
  keys += 1;
  const shape = [2, 2, keys, 8];
  const scale = f32(2, 2, keys);
  const call = {
    ...{ query: f32(2, 4, 3, 8), key: zeros("int8", shape), value: zeros("int8", shape) },
    ...{ keyScales: scale, valueScales: scale, bias: f32(keys), mask: zeros("bool", [keys]) },
  };
  const operands = attention.operands(describeProblem(call));
  expect(operands.map(({ name, dtype }) => `${name} ${dtype}`)).toEqual([
    ...["query float32", "key int8", "value int8", "keyScales float32", "valueScales float32"],
    ...["mask bool", "bias float32", "output float32"],
  ]);
});

test("are listed once for a problem", () => {
  const problem = describeProblem(plain);
  const operands = attention.operands(problem);
  expect(attention.operands(problem)).toBe(operands);
  expect(operands.every(({ shape }) => Object.isFrozen(shape))).toBe(true);
  expect(attention.operands(describeProblem({ ...plain, scale: 2 }))).not.toBe(operands);
});

test.each(Object.entries(calls))("%s", (names, call) => {
  const problem = describeProblem(call);
  const operands = attention.operands(problem);
  const of = (access: string) => operands.filter((operand) => operand.access === access);
  const text = (access: string) =>
    of(access)
      .map(({ name }) => name)
      .join(" ");
  expect(`${text("read")} > ${text("write")}`).toBe(names);
  const bound = attention.bind(problem, call);
  const given = call as unknown as Readonly<Record<string, HostTensor>>;
  expect(bound.reads).toEqual(of("read").map(({ name }) => given[name]));
  for (const { name, shape, dtype } of of("read")) {
    const t = given[name] as HostTensor;
    const broadcast =
      name === "mask" || name === "bias" ? [1, 1, 1, 1, ...t.shape].slice(-4) : t.shape;
    expect([name, dtype, shape]).toEqual([name, t.dtype, broadcast]);
  }
  const outputs = attention.reference(bound) as unknown as Readonly<Record<string, HostTensor>>;
  for (const { name, shape, dtype } of of("write")) {
    expect([name, outputs[name]?.shape]).toEqual([name, shape]);
    expect(dtype).toBe("float32");
  }
});
