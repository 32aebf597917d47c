/** Promises that every operation keeps: of what it binds, of its operands, and of calls without a single element. */
import { describe, expect, test } from "vitest";
import { attention } from "../src/attention/operation.js";
import {
  type AnyOperation,
  type Bound,
  type HostTensor,
  InvalidInputError,
  merge,
  projection,
  rmsNorm,
  rotary,
  scatter,
  type Tensor,
  tensor,
  toFloat64,
  zeros,
} from "../src/index.js";
import { elementCount } from "../src/tensor/layout.js";

const f32 = (...shape: number[]) => {
  const t = zeros("float32", shape);
  for (let i = 0; i < t.data.length; i++) t.data[i] = Math.fround(Math.sin(i * 1.3) + 0.1);
  return t;
};
const slots = Int32Array.of(2, 0, -1, 1);
const rotated = f32(2, 3, 2, 4);
const table = [f32(9, 2), f32(9, 2)] as const;
const part = () => ({ output: f32(2, 3), logSumExp: f32(2) });

/** Calls of every operation, by what they have; `extra` are operands beside those that every call has. */
const calls: readonly (readonly [string, AnyOperation, object, readonly string[]])[] = [
  [
    "attention",
    attention,
    { query: f32(1, 2, 3, 4), key: f32(1, 1, 5, 4), value: f32(1, 1, 5, 4) },
    ["query", "key", "value", "output"],
  ],
  [
    "scatter to float32",
    scatter,
    { target: zeros("float32", [2, 3, 4, 2]), source: f32(2, 3, 2, 2), slots },
    ["target", "source"],
  ],
  [
    "scatter to int8",
    scatter,
    {
      target: zeros("int8", [2, 3, 4, 2]),
      scales: f32(2, 3, 4),
      source: f32(2, 3, 2, 2),
      slots,
    },
    ["target", "scales", "source"],
  ],
  [
    "scatter to pages",
    scatter,
    { target: zeros("float16", [5, 3, 4, 2]), source: f32(2, 3, 2, 2), slots, paged: true },
    ["target", "source"],
  ],
  [
    "rotary by theta",
    rotary,
    { input: rotated, theta: 10, offset: [3, 1] },
    ["input", "cos", "sin", "output"],
  ],
  [
    "rotary by a table",
    rotary,
    {
      input: rotated,
      cos: table[0],
      sin: table[1],
      positions: Int32Array.of(8, 1),
      interleaved: true,
    },
    ["input", "cos", "sin", "output"],
  ],
  [
    "rotary by one row a token",
    rotary,
    { input: rotated, cos: f32(2, 2, 2), sin: f32(2, 2, 2), interleaved: false },
    ["input", "cos", "sin", "output"],
  ],
  [
    "rotary of a part of each head",
    rotary,
    { input: rotated, inverseFrequencies: [0.5], rotaryDim: 2 },
    ["input", "cos", "sin", "output"],
  ],
  [
    "rmsNorm",
    rmsNorm,
    { input: f32(2, 3, 4), weight: f32(4), epsilon: 1e-3 },
    ["input", "weight", "output"],
  ],
  [
    "projection",
    projection,
    { input: f32(1, 2, 3), weight: f32(4, 3) },
    ["input", "weight", "output"],
  ],
  [
    "projection with a bias",
    projection,
    { input: f32(1, 2, 3), weight: f32(4, 3), bias: f32(4) },
    ["input", "weight", "bias", "output"],
  ],
  [
    "merge",
    merge,
    { parts: [part(), part()] },
    [
      ...["parts[0].output", "parts[0].logSumExp", "parts[1].output", "parts[1].logSumExp"],
      ...["output", "logSumExp"],
    ],
  ],
];

const results = (operation: AnyOperation, bound: Bound) =>
  Object.entries(operation.reference(bound) as Readonly<Record<string, HostTensor>>)
    .filter(([, t]) => t !== undefined)
    .map(([name, t]) => [name, t.shape, toFloat64(t)]);

describe.each(calls)("a call of %s", (_, operation, inputs, names) => {
  const problem = operation.describe(inputs);
  const bound = operation.bind(problem, inputs) as Bound;

  test("is the same call in the caller's terms", () => {
    expect(operation.describe(bound.inputs)).toBe(problem);
    const again = operation.bind(problem, bound.inputs) as Bound;
    expect(again.reads).toEqual(bound.reads);
    expect(results(operation, again)).toEqual(results(operation, bound));
  });

  test("has the operands that its problem says, those that are read first", () => {
    const operands = operation.operands(problem);
    expect(operands.map(({ name }) => name)).toEqual(names);
    const read = operands.filter(({ access }) => access !== "write");
    expect(read).toEqual(operands.slice(0, read.length));
    // Angles of one row a token have these in two axes.
    const sizesOf = ({ shape, dtype }: Pick<Tensor, "shape" | "dtype">) => [
      ...[elementCount(shape), shape.at(-1), dtype],
    ];
    expect(bound.reads.map(sizesOf)).toEqual(read.map(sizesOf));
    const outputs = results(operation, bound).map(([name, shape]) => [name, shape]);
    const written = operands.filter(({ access }) => access !== "read");
    expect(outputs).toEqual(written.map(({ name, shape }) => [name, shape]));
  });

  test("is not bound by the problem of another operation, which is named", () => {
    const wrong = { ...problem, operation: `${problem.operation}s` };
    for (const other of [wrong, null, undefined]) {
      let error: unknown;
      try {
        operation.bind(other, inputs);
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toBeInstanceOf(InvalidInputError);
      if (other === wrong) expect(error).toMatchObject({ argument: "problem" });
    }
  });
});

test("rows of scatter without a single element go nowhere, however many there are", () => {
  const many = 2 ** 31 - 1;
  const call = (target: Tensor, source: Tensor, given: readonly number[]) => {
    const inputs = { target, source, slots: Int32Array.from(given) };
    return [...scatter.bind(scatter.describe(inputs), inputs).slots];
  };
  const none = (heads: number, size: number) =>
    call(zeros("float32", [2, heads, many, size]), zeros("float32", [2, heads, 1, size]), [
      many - 1,
      5,
    ]);
  expect(none(0, 4)).toEqual([-1, -1]);
  expect(none(4, 0)).toEqual([-1, -1]);
  // Rows of int8 without elements have scales, all the same.
  const inputs = {
    target: zeros("int8", [2, 1, 3, 0]),
    scales: zeros("float32", [2, 1, 3]),
    source: zeros("float32", [2, 1, 1, 0]),
    slots: Int32Array.of(2, 1),
  };
  expect([...scatter.bind(scatter.describe(inputs), inputs).slots]).toEqual([2, 4]);
});

test("a source without rows may lie anywhere in the target's memory", () => {
  const memory = new Float32Array(40);
  const target = tensor(memory, [1, 2, 3, 4], { offset: 4 });
  const source = tensor(memory, [1, 2, 0, 4], { offset: 10 });
  expect(scatter.describe({ target, source, slots: new Int32Array(0) }).count).toBe(0);
});
