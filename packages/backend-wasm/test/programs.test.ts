import { attention, type Backend, describeProblem, referenceAttention, tensor } from "@heed/core";
import { causal, document } from "@heed/core/masks";
import {
  abs,
  add,
  and,
  astype,
  createBlockMask,
  divide,
  equal,
  exp,
  floor,
  floorDivide,
  less,
  lessEqual,
  log,
  maskMod,
  maximum,
  minimum,
  multiply,
  negative,
  notEqual,
  remainder,
  type ScoreProgram,
  scoreMod,
  sqrt,
  subtract,
  tanh,
} from "@heed/core/program";
import { afterAll, beforeAll, expect, test } from "vitest";
import { distance, expectOutputs, RandomCalls } from "../../core/test/program/random-calls.js";
import {
  expectFullBlocksUnasked,
  expectHiddenBlocksUnread,
  notFinite,
} from "../../core/test/program/skipped-blocks.js";
import { defaultLimits, planProblem } from "../src/attention/plan.js";
import { PlannedPrograms } from "../src/program/planned.js";
import { panelRows } from "../src/shared/attention.js";
import { asksMask } from "../src/shared/program.js";
import { backendOver, loadThreads } from "./backends.js";

const backends: Record<string, Backend> = {};

beforeAll(async () => {
  const limits = { sharedWork: 0, leastSplitKeys: 16 };
  backends.baseline = await backendOver(await loadThreads({ simd: "baseline", threads: 1 }));
  backends["two threads"] = await backendOver(await loadThreads({ threads: 2 }), limits);
});
afterAll(() => {
  for (const backend of Object.values(backends)) backend.dispose();
});

test("programs and block masks give what the reference gives", async () => {
  const calls = new RandomCalls();
  for (let n = 0; n < 150; n++) {
    const call = calls.next();
    const problem = describeProblem(call);
    const expected = referenceAttention(call);
    for (const [name, backend] of Object.entries(backends)) {
      const plan = await backend.plan(problem);
      expectOutputs([name, n, problem.key], await plan.run(call), expected, 1e-4);
      plan.dispose();
    }
  }
});

type NumberExpression = ReturnType<typeof add>;
type BoolExpression = ReturnType<typeof less>;

const operations = {
  ...{ add, subtract, multiply, divide, floorDivide, remainder, minimum, maximum },
  ...{ equal, notEqual, less, lessEqual },
};
const functions = { negative, abs, floor, sqrt, exp, log, tanh };

/** Every operation with every kind of operand: programs by name. Numbers are such that float32 holds them exactly. */
function programsOf(type: "float32" | "int32"): [string, ScoreProgram][] {
  /**
   * `score + (change of far + far) / 64`: the number that is changed is needed once more, so that it stays beside the
   * result, which takes the place of another.
   */
  const program = (
    change: (
      far: NumberExpression,
      query: NumberExpression,
      key: NumberExpression,
    ) => NumberExpression | BoolExpression,
  ) =>
    scoreMod(({ score, query, key }) => {
      const part = (x: NumberExpression) => (type === "int32" ? x : multiply(x, 0.25));
      const [q, k] = [astype(query, type), astype(remainder(key, 23), type)];
      const far = subtract(part(add(multiply(k, 4), q)), 9);
      const changed = astype(change(far, part(q), part(k)), "float32");
      return add(score, multiply(add(changed, far), 1 / 64));
    });
  const binary = Object.entries(operations).flatMap(([name, operation]) =>
    Object.entries({
      "a number": () => 5,
      "a key": (_: NumberExpression, key: NumberExpression) => multiply(subtract(key, 2), 3),
      "a pair": (query: NumberExpression, key: NumberExpression) => subtract(query, key),
    }).flatMap(([what, other]): [string, ScoreProgram][] => [
      [`${name}, then ${what}`, program((far, q, k) => operation(far, other(q, k)))],
      [`${name}, after ${what}`, program((far, q, k) => operation(other(q, k), far))],
    ]),
  );
  const unary = Object.entries(functions).map(([name, change]): [string, ScoreProgram] => {
    const least = name === "sqrt" || name === "log" ? 10 : 0;
    return [name, program((far) => change(multiply(add(far, least), 0.125)))];
  });
  return [...binary, ...unary];
}

test.each(["float32", "int32"] as const)("every operation on %s", async (type) => {
  const random = new RandomCalls();
  // More than the keys of a tile for few rows, so that registers are full.
  const keys = 130;
  for (const queries of [1, 3, 9]) {
    const plain = {
      query: random.values(1, 1, queries, 8),
      key: random.values(1, 1, keys, 8),
      value: random.values(1, 1, keys, 5),
      returns: { logSumExp: true },
    };
    for (const [name, program] of programsOf(type)) {
      const call = { ...plain, scoreMod: program };
      const expected = referenceAttention(call);
      for (const [place, backend] of Object.entries(backends)) {
        const plan = await backend.plan(describeProblem(call));
        expectOutputs([place, queries, name], await plan.run(call), expected, 1e-4);
        plan.dispose();
      }
    }
  }
});

test("a plan sees scalars, tables and offsets that have changed since its last call", async () => {
  const backend = backends.baseline as Backend;
  const starts = tensor(new Int32Array(200), [1, 200]);
  const near = maskMod(({ query, key }) => less(subtract(query, key), distance));
  const program = maskMod(and(near, document(starts)));
  const random = new RandomCalls();
  const call = {
    query: random.values(1, 2, 200, 8),
    key: random.values(1, 2, 200, 8),
    value: random.values(1, 2, 200, 8),
    maskMod: program,
  };
  const plan = await backend.plan(describeProblem({ ...call, queryOffset: 0 }));
  let queryOffset = 0;
  const changes: readonly (() => unknown)[] = [
    () => 0,
    () => (distance.value = 30),
    () => (distance.value = 150),
    () => starts.data.fill(1, 60),
    () => (queryOffset = 25),
    () => starts.data.fill(2, 130),
  ];
  for (const [n, change] of changes.entries()) {
    change();
    const given = await plan.run({ ...call, queryOffset });
    expectOutputs(n, given, referenceAttention({ ...call, queryOffset }), 1e-4);
  }
  plan.dispose();
});

test("full blocks do not ask the program, and what hidden blocks hold is not read into results", async () => {
  for (const backend of Object.values(backends)) {
    await expectFullBlocksUnasked(backend);
    await expectHiddenBlocksUnread(backend, notFinite);
  }
});

test("panels look at no key of blocks that are empty, and ask nothing in those that are full", () => {
  const [length, block] = [256, 64];
  const random = new RandomCalls();
  const values = () => random.values(1, 1, length, 8);
  const maskMod = causal();
  const sizes = { queryLength: length, keyLength: length, queryBlock: block, keyBlock: block };
  const blockMask = createBlockMask(maskMod, sizes);
  const call = { query: values(), key: values(), value: values(), maskMod, blockMask };
  const problem = describeProblem(call);
  const options = { ...defaultLimits, threads: 1, tileElements: 5760, batchInvariant: false };
  const planned = new PlannedPrograms(problem, planProblem(problem, options));
  const found = planned.runsOf(attention.bind(problem, call), null);
  const { starts, runs } = found as NonNullable<typeof found>;
  expect(starts.length).toBe(length / panelRows + 1);
  for (let panel = 0; panel < length / panelRows; panel++) {
    const row = runs.subarray(3 * (starts[panel] as number), 3 * (starts[panel + 1] as number));
    const diagonal = block * Math.floor((panel * panelRows) / block);
    const full = diagonal === 0 ? [] : [0, diagonal, 0];
    expect([...row]).toEqual([...full, diagonal, diagonal + block, asksMask]);
  }
});
