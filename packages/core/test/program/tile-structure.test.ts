/** The form in which tile programs compute: what waits for its reader, and what has a loop of its own. */

import { afterEach, describe, expect, test, vi } from "vitest";
import { tensor } from "../../src/index.js";
import type { BoundProgram } from "../../src/program/bound.js";
import { diagonalsOf } from "../../src/program/diagonals.js";
import type { ProgramForm } from "../../src/program/form.js";
import { printProgram } from "../../src/program/print.js";
import { Instructions } from "../../src/program/tile/instructions.js";
import { regroupSums } from "../../src/program/tile/regroup-sums.js";
import { rowInputsOf } from "../../src/program/tile/row-inputs.js";
import { scheduleOf } from "../../src/program/tile/schedule.js";
import { simplifyBools } from "../../src/program/tile/simplify.js";
import {
  abs,
  add,
  and,
  astype,
  type BoolExpression,
  bindProgram,
  divide,
  equal,
  less,
  lessEqual,
  type MaskVariables,
  maskMod,
  multiply,
  type NumberExpression,
  remainder,
  type ScoreVariables,
  scalar,
  scoreMod,
  subtract,
  TileProgram,
  table,
  tanh,
  where,
} from "../../src/program.js";

const ids = table(tensor(Int32Array.of(0, 1, 1, 2), [4]));
const slopes = table(tensor(Float32Array.of(0.5, 2), [2]));
const biases = table(tensor(new Float32Array(24), [2, 3, 4]));

type Score = (variables: ScoreVariables) => NumberExpression;
type Mask = (variables: MaskVariables) => BoolExpression;

/** A node as text; of a program in lines, the last. */
const textOf = (form: ProgramForm, n: number) =>
  printProgram({ ...form, nodes: form.nodes.slice(0, n + 1) })
    .split("\n")
    .at(-1) as string;

/** A program as tiles compute it, and the nodes of it that are pieces of longer lists. */
function prepared(bound: BoundProgram, ascending: boolean) {
  const diagonals = (form: ProgramForm) => (ascending ? diagonalsOf(form) : new Map());
  const simple = simplifyBools(bound);
  const { form } = regroupSums(simple, diagonals(simple.form));
  return { form, diagonals: diagonals(form) };
}

/** Every bias of these programs: `[head, query, key]`. */
const bias: Score = ({ head, query, key }) => biases.at(head, query, key);
const product: Score = ({ query, key }) => astype(multiply(query, key), "float32");
const asFloat = (x: NumberExpression) => astype(x, "float32");

interface Plan {
  readonly build: Score;
  /** Nodes that wait for their readers, and those that take the scores' place. */
  readonly waits: readonly string[];
  readonly inPlace: readonly string[];
  /** Operations that have loops of their own, by what they are of. */
  readonly alone: string;
}
const [at, by] = ["table0[head, query, key]", "float32(query * key)"];
const plans: Readonly<Record<string, Plan>> = {
  "a bias": {
    build: (v) => add(v.score, bias(v)),
    waits: [at],
    inPlace: [`score + ${at}`],
    alone: "",
  },
  "a scaled score and a bias": {
    build: (v) => add(multiply(v.score, 0.5), bias(v)),
    waits: ["score * 0.5", at],
    inPlace: [`score * 0.5 + ${at}`],
    alone: "",
  },
  "a bias and a score that heads scale": {
    build: (v) => add(bias(v), multiply(slopes.at(v.head), v.score)),
    waits: [at, "table1[head] * score"],
    inPlace: [`${at} + table1[head] * score`],
    alone: "",
  },
  "a score that batch entries scale": {
    build: (v) => add(multiply(v.score, slopes.at(v.batch)), bias(v)),
    waits: ["score * table0[batch]", "table1[head, query, key]"],
    inPlace: ["score * table0[batch] + table1[head, query, key]"],
    alone: "table batch",
  },
  "a score that keys scale": {
    build: (v) => add(multiply(v.score, asFloat(v.key)), bias(v)),
    waits: [at],
    inPlace: ["score * float32(key)", `score * float32(key) + ${at}`],
    alone: "astype keys, multiply scores",
  },
  "a score less a bias": {
    build: (v) => subtract(v.score, bias(v)),
    waits: [],
    inPlace: [`score - ${at}`],
    alone: "subtract scores",
  },
  "a score less a product": {
    build: (v) => subtract(v.score, multiply(bias(v), 0.5)),
    waits: [`${at} * 0.5`],
    inPlace: [`score - ${at} * 0.5`],
    alone: "",
  },
  "a product less a scaled score": {
    build: (v) => subtract(multiply(bias(v), 0.5), multiply(v.score, 0.75)),
    waits: ["score * 0.75"],
    inPlace: [`${at} * 0.5 - score * 0.75`],
    alone: "multiply scores, subtract scores, multiply scores",
  },
  "a product and a scaled score": {
    build: (v) => add(multiply(product(v), 0.5), multiply(v.score, 0.75)),
    waits: [`${by} * 0.5`, "score * 0.75"],
    inPlace: [`${by} * 0.5 + score * 0.75`],
    alone: "multiply scores, astype scores",
  },
  "a product and a bias": {
    build: (v) => add(multiply(product(v), 0.5), bias(v)),
    waits: [at],
    inPlace: [by, `${by} * 0.5`, `${by} * 0.5 + ${at}`],
    alone: "multiply scores, astype scores, multiply scores",
  },
  "a product of a row and a list": {
    build: (v) => add(v.score, multiply(asFloat(v.query), product(v))),
    waits: [`float32(query) * ${by}`],
    inPlace: [`score + float32(query) * ${by}`],
    alone: "astype rows, multiply scores, astype scores",
  },
  "a product of two lists": {
    build: (v) => add(v.score, multiply(asFloat(v.key), product(v))),
    waits: [`float32(key) * ${by}`],
    inPlace: [`score + float32(key) * ${by}`],
    alone: "astype keys, multiply scores, astype scores, add scores, multiply scores",
  },
  "a product of rows": {
    build: (v) => add(v.score, multiply(asFloat(v.query), 0.5)),
    waits: [],
    inPlace: ["score + float32(query) * 0.5"],
    alone: "astype rows, multiply rows, add scores",
  },
  "two biases": {
    build: (v) => add(add(v.score, bias(v)), biases.at(1, v.query, v.key)),
    waits: [at, "table0[1, query, key]"],
    inPlace: [`score + ${at}`, `score + ${at} + table0[1, query, key]`],
    alone: "",
  },
  "a sum that is scaled": {
    build: (v) => multiply(add(multiply(v.score, 2), bias(v)), 3),
    waits: ["score * 2.0", at],
    inPlace: [`score * 2.0 + ${at}`, `(score * 2.0 + ${at}) * 3.0`],
    alone: "multiply scores",
  },
  "a table that is read twice": {
    build: (v) => add(add(v.score, bias(v)), multiply(bias(v), v.score)),
    waits: ["v0 * score"],
    inPlace: ["score + v0 + v0 * score"],
    alone: "add scores, add scores, multiply scores",
  },
  "a square and its root": {
    build: (v) => add(multiply(v.score, v.score), v.score),
    waits: ["score * score"],
    inPlace: ["score * score + score"],
    alone: "add scores, multiply scores",
  },
  "a product of products": {
    build: (v) => multiply(multiply(v.score, 2), multiply(v.score, 3)),
    waits: [],
    inPlace: ["score * 3.0", "score * 2.0 * score * 3.0"],
    alone: "multiply scores, multiply scores, multiply scores",
  },
  "no score": {
    build: (v) => multiply(v.key, 0.5),
    waits: [],
    inPlace: [],
    alone: "astype keys, multiply keys",
  },
  "a table of sums": {
    build: (v) => add(v.score, biases.at(0, 1, add(v.key, v.query))),
    waits: ["key + query", "table0[0, 1, key + query]"],
    inPlace: ["score + table0[0, 1, key + query]"],
    alone: "",
  },
  "integers of pairs": {
    build: (v) => asFloat(add(add(v.key, v.query), multiply(v.key, v.query))),
    waits: [],
    inPlace: ["float32(query + key + key * query)"],
    alone: "multiply scores, add scores, add scores, astype scores",
  },
  "a choice": {
    build: (v) => where(lessEqual(v.key, v.query), v.score, -8),
    waits: ["key <= query"],
    inPlace: ["where(key <= query, score, -8.0)"],
    alone: "lessEqual scores",
  },
  "a choice by bools": {
    build: (v) => where(and(lessEqual(v.key, v.query), less(v.key, 3)), v.score, -8),
    waits: [],
    inPlace: ["where(key <= query and key < 3, score, -8.0)"],
    alone: "lessEqual scores, less keys, and scores",
  },
  "a choice by scores": {
    build: (v) => where(less(v.score, 0), v.score, 1),
    waits: ["score < 0.0"],
    inPlace: ["where(score < 0.0, score, 1.0)"],
    alone: "less scores",
  },
  "a choice by rows": {
    build: (v) => where(less(v.query, 3), v.score, 1),
    waits: [],
    inPlace: ["where(query < 3, score, 1.0)"],
    alone: "less rows",
  },
  "a remainder of a sum": {
    build: (v) => add(v.score, asFloat(remainder(add(v.key, multiply(v.query, 3)), 4))),
    waits: ["query * 3 + key"],
    inPlace: ["score + float32((query * 3 + key) % 4)"],
    alone: "multiply rows, astype scores, add scores",
  },
};

afterEach(() => vi.restoreAllMocks());

/** Operations for which a loop of its own is compiled. */
function loopsOf(build: Score, sizes: object): string {
  const compile = vi.spyOn(Instructions.prototype, "compile");
  new TileProgram(bindProgram(scoreMod(build)), { keys: 6, rows: 6, lanes: 3, ...sizes });
  const loops = compile.mock.calls.map(([{ space }, { op }]) => `${op} ${space}`);
  compile.mockRestore();
  return loops.join(", ");
}

test.each(Object.entries(plans))(
  "as few loops as can be: %s",
  (_, { build, waits, inPlace, alone }) => {
    const { form, diagonals } = prepared(bindProgram(scoreMod(build)), false);
    const schedule = scheduleOf(form, diagonals);
    expect([...schedule.waiting].map((n) => textOf(form, n))).toEqual(waits);
    expect([...schedule.inPlace].map((n) => textOf(form, n))).toEqual(inPlace);
    expect([...schedule.order]).toEqual([...schedule.order].sort((a, b) => a - b));
    expect(loopsOf(build, {})).toBe(alone);
  },
);

test.each<[string, Score, readonly string[], string]>([
  [
    "ALiBi",
    (v) => subtract(v.score, multiply(abs(subtract(v.query, v.key)), slopes.at(v.head))),
    ["float32(abs(query - key))", "float32(abs(query - key)) * table0[head]"],
    "negative keys, abs keys, astype keys",
  ],
  [
    "a scaled score and differences",
    (v) => add(multiply(v.score, 0.5), multiply(subtract(v.key, v.query), 0.25)),
    ["score * 0.5", "float32(key - query) * 0.25"],
    "astype keys, multiply keys",
  ],
])("pieces of a longer list are added where the scores are: %s", (_, build, waits, alone) => {
  const { form, diagonals } = prepared(bindProgram(scoreMod(build)), true);
  expect([...scheduleOf(form, diagonals).waiting].map((n) => textOf(form, n))).toEqual(waits);
  expect(loopsOf(build, { ascending: 8 })).toBe(alone);
});

const fifty = scalar(50, "float32");
test.each<[string, Score, string]>([
  ["divided and multiplied by constants", ({ score }) => multiply(tanh(divide(score, 50)), 50), ""],
  [
    "divided and multiplied by scalars",
    ({ score }) => multiply(fifty, tanh(divide(score, fifty))),
    "",
  ],
  ["multiplied before and after", ({ score }) => multiply(50, tanh(multiply(0.5, score))), ""],
  ["alone", ({ score }) => tanh(score), ""],
  ["of a sum", ({ score }) => tanh(add(score, 1)), "add scores"],
  [
    "times a row's number",
    ({ score, query }) => tanh(multiply(asFloat(query), score)),
    "astype rows",
  ],
  [
    "times a list",
    ({ score, key }) => multiply(tanh(score), asFloat(key)),
    "astype keys, multiply scores",
  ],
  [
    "of a product of lists",
    ({ score, key }) => tanh(multiply(asFloat(key), score)),
    "astype keys, multiply scores",
  ],
  ["divided by 0", ({ score }) => tanh(divide(score, 0)), "divide scores"],
  [
    "divided by a row's number",
    ({ score, query }) => tanh(divide(score, asFloat(query))),
    "astype rows, divide scores",
  ],
  [
    "of keys",
    ({ score, key }) => add(score, tanh(asFloat(key))),
    "astype keys, tanh keys, add scores",
  ],
])("tanh to float32's accuracy is one loop: %s", (_, build, alone) => {
  expect(loopsOf(build, { exact: false })).toBe(alone);
  expect(loopsOf(build, { exact: true })).toContain("tanh");
});

const rest =
  (by: number | NumberExpression): Score =>
  ({ key, query }) =>
    asFloat(remainder(add(key, query), by));
const whole = "remainder scores, add scores, astype scores";
test.each<[string, Score, string]>([
  ["by a constant", rest(3), "astype scores"],
  ["by 1", rest(1), "astype scores"],
  ["by the largest", rest(2 ** 30), "astype scores"],
  ["by a larger one", rest(2 ** 30 + 1), whole],
  ["by 0", rest(0), whole],
  ["by a negative number", rest(-3), whole],
  [
    "by a number of the head",
    ({ key, query, head }) => asFloat(remainder(add(key, query), head)),
    whole,
  ],
  [
    "of a product",
    ({ key, query }) => asFloat(remainder(multiply(key, query), 3)),
    "multiply scores, remainder scores, astype scores",
  ],
  ["of keys", ({ key }) => asFloat(remainder(key, 3)), "remainder keys, astype keys"],
  [
    "of floats",
    ({ key, score }) => remainder(add(asFloat(key), score), 3),
    "astype keys, add scores, remainder scores",
  ],
])("the remainder of a sum is the sum of remainders: %s", (_, build, alone) => {
  expect(loopsOf(build, {})).toBe(alone);
});

describe("numbers of rows that decide what the rows see", () => {
  const sum = ({ key, query }: MaskVariables) => add(key, query);
  test.each<[string, boolean, Mask, readonly string[]]>([
    ["documents", false, ({ query, key }) => equal(ids.at(query), ids.at(key)), ["table0[query]"]],
    [
      "a remainder",
      false,
      ({ query, key }) => equal(remainder(add(key, multiply(query, 7)), 5), 0),
      ["query * 7, with key by 5"],
    ],
    [
      "by the largest",
      false,
      (v) => equal(remainder(sum(v), 2 ** 30), 0),
      ["query, with key by 1073741824"],
    ],
    ["by a larger one", false, (v) => equal(remainder(sum(v), 2 ** 30 + 1), 0), ["query"]],
    ["by 1", false, (v) => equal(remainder(sum(v), 1), 0), ["query, with key by 1"]],
    ["by 0", false, (v) => equal(remainder(sum(v), 0), 0), ["query"]],
    ["by a negative number", false, (v) => equal(remainder(sum(v), -3), 0), ["query"]],
    [
      "by a number of the head",
      false,
      (v) => equal(remainder(sum(v), v.head), 0),
      ["query", "head"],
    ],
    [
      "two remainders",
      false,
      ({ query, key }) =>
        and(
          equal(remainder(add(key, query), 2), 0),
          equal(remainder(add(multiply(key, 2), query), 3), 0),
        ),
      ["query, with key by 2", "query, with key * 2 by 3"],
    ],
    [
      "a remainder, and the number itself",
      false,
      (v) => and(equal(remainder(sum(v), 3), 0), less(v.query, multiply(v.key, 2))),
      ["query"],
    ],
    [
      "a sum that is read twice",
      false,
      (v) => and(equal(remainder(sum(v), 3), 0), less(sum(v), 5)),
      ["query"],
    ],
    [
      "a remainder of a product",
      false,
      ({ query, key }) => equal(remainder(multiply(key, query), 3), 0),
      ["query"],
    ],
    ["rows alone", false, ({ query }) => less(query, 3), ["query < 3"]],
    ["keys alone", false, ({ key }) => less(key, 3), []],
    ["a difference", true, ({ query, key }) => less(subtract(query, key), 3), ["position"]],
    [
      "a difference and an index",
      true,
      ({ query, key, queryIndex, keyIndex }) =>
        and(less(subtract(query, key), 3), less(queryIndex, keyIndex)),
      ["queryIndex", "position"],
    ],
    ["floats", false, ({ head, key }) => less(slopes.at(head), slopes.at(key)), ["table0[head]"]],
  ])("%s", (_, ascending, build, expected) => {
    const { form, diagonals } = prepared(bindProgram(maskMod(build)), ascending);
    const { nodes, queries } = rowInputsOf(form, scheduleOf(form, diagonals), diagonals);
    const found = nodes.map(({ node, sum }) =>
      sum
        ? `${textOf(form, node)}, with ${textOf(form, sum.keys)} by ${sum.divisor}`
        : textOf(form, node),
    );
    expect([...found, ...queries]).toEqual(expected);
  });
});
