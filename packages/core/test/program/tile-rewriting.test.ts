/** How programs are rewritten before tiles compute them, and which values depend on differences of key and query. */
import {
  abs,
  add,
  astype,
  type BoolExpression,
  bindProgram,
  divide,
  equal,
  greater,
  greaterEqual,
  less,
  lessEqual,
  type MaskVariables,
  maskMod,
  multiply,
  type NumberExpression,
  negative,
  not,
  notEqual,
  type ScoreVariables,
  scoreMod,
  subtract,
  table,
  where,
} from "@heed/core/program";
import { expect, test } from "vitest";
import { tensor } from "../../src/index.js";
import { diagonalsOf } from "../../src/program/diagonals.js";
import type { ProgramForm } from "../../src/program/form.js";
import { printProgram } from "../../src/program/print.js";
import { regroupSums } from "../../src/program/tile/regroup-sums.js";
import { simplifyBools } from "../../src/program/tile/simplify.js";

const flags = table(tensor([true, false], [2]));
const ids = table(tensor(Int32Array.of(0, 1, 1, 2), [4]));
const biases = table(tensor(new Float32Array(24), [2, 3, 4]));

type Score = (variables: ScoreVariables) => NumberExpression;
type Mask = (variables: MaskVariables) => BoolExpression;

/** A node as text; of a program in lines, the last. */
const textOf = (form: ProgramForm, n: number) =>
  printProgram({ ...form, nodes: form.nodes.slice(0, n + 1) })
    .split("\n")
    .at(-1) as string;

test.each<[string, Mask, string]>([
  ["not <", ({ key, query }) => not(less(key, query)), "key >= query"],
  ["not <=", ({ key, query }) => not(lessEqual(key, query)), "key > query"],
  ["not >", ({ key, query }) => not(greater(key, query)), "key <= query"],
  ["not >=", ({ key, query }) => not(greaterEqual(key, query)), "key < query"],
  ["not ==", ({ key, query }) => not(equal(key, query)), "key != query"],
  ["not !=", ({ key, query }) => not(notEqual(key, query)), "key == query"],
  [
    "not < of floats, of which NaN is neither",
    ({ key }) => not(less(divide(key, 2), 1)),
    "not float32(key) / 2.0 < 1.0",
  ],
  ["not == of floats", ({ key }) => not(equal(divide(key, 2), 1)), "v0 != 1.0"],
  ["not not", ({ key }) => not(not(flags.at(key))), "table0[key]"],
  ["== true", ({ key }) => equal(flags.at(key), true), "table0[key]"],
  ["true ==", ({ key }) => equal(true, flags.at(key)), "table0[key]"],
  ["== false", ({ key }) => equal(flags.at(key), false), "not table0[key]"],
  ["!= true", ({ key }) => notEqual(flags.at(key), true), "not table0[key]"],
  ["false !=", ({ key }) => notEqual(false, flags.at(key)), "table0[key]"],
  ["a comparison == false", ({ key, query }) => equal(less(key, query), false), "key >= query"],
  [
    "bools",
    ({ key, query }) => equal(flags.at(key), flags.at(query)),
    "table0[key] == table0[query]",
  ],
  ["an integer", ({ key }) => equal(key, 1), "key == 1"],
])("bools: %s", (_, build, text) => {
  const { form } = simplifyBools(bindProgram(maskMod(build)));
  expect(textOf(form, form.nodes.length - 1)).toBe(text);
});

test.each<[string, Score, string]>([
  [
    "a constant",
    ({ query, key }) => add(subtract(multiply(query, 3), key), 7),
    "7 + query * 3 + key * -1",
  ],
  [
    "factors",
    ({ query, key, queryIndex, keyIndex }) =>
      add(multiply(subtract(query, key), 15), subtract(queryIndex, keyIndex)),
    "queryIndex + query * 15 + keyIndex * -1 + key * -15",
  ],
  ["one operation", ({ query, key }) => add(query, key), "query + key"],
  ["the same twice", ({ query, key }) => add(add(query, key), query), "query * 2 + key"],
  ["what cancels", ({ query, key }) => subtract(add(query, key), query), "key"],
  [
    "batch entries and heads",
    ({ batch, head, key }) => add(add(batch, key), head),
    "head + batch + key",
  ],
  [
    "an opposite",
    ({ query, key }) => negative(subtract(query, multiply(key, 2))),
    "query * -1 + key * 2",
  ],
  [
    "a product",
    ({ head, query, key }) => add(add(multiply(query, key), key), head),
    "head + key + query * key",
  ],
  [
    "a factor before",
    ({ query, key }) => multiply(4, add(add(query, 5), key)),
    "20 + query * 4 + key * 4",
  ],
  [
    "tables",
    ({ query, key }) => add(ids.at(key), subtract(3, ids.at(query))),
    "3 + table0[query] * -1 + table0[key]",
  ],
  ["rows alone", ({ query, head }) => add(add(query, head), 3), "query + head + 3"],
  [
    "a score",
    ({ score, query, key }) => add(add(key, query), multiply(astype(score, "int32"), 2)),
    "query + key + int32(score) * 2",
  ],
  [
    "a constant less a sum",
    ({ query, key }) => subtract(5, add(key, query)),
    "5 + query * -1 + key * -1",
  ],
])("sums are regrouped: %s", (_, build, text) => {
  const { form } = regroupSums(bindProgram(scoreMod(build)), new Map());
  expect(printProgram(form)).toBe(`float32(${text})`);
});

test("a sum leaves its parts that are computed as they are", () => {
  const bound = bindProgram(
    scoreMod(({ query, key }) => add(multiply(subtract(query, key), 3), add(key, 1))),
  );
  const difference = bound.form.nodes.findIndex(({ op }) => op === "subtract");
  const { form } = regroupSums(bound, new Map([[difference, "position"]]));
  expect(printProgram(form)).toBe("float32(1 + key + (query - key) * 3)");
});

test.each<[string, Score, readonly string[]]>([
  ["query − key", ({ query, key }) => subtract(query, key), ["position: float32(query - key)"]],
  [
    "keyIndex − queryIndex",
    ({ queryIndex, keyIndex }) => abs(subtract(keyIndex, queryIndex)),
    ["index: float32(abs(keyIndex - queryIndex))"],
  ],
  [
    "with what batch entries say",
    ({ batch, query, key }) => multiply(abs(subtract(query, key)), biases.at(batch, 1, 1)),
    ["position: float32(abs(query - key)) * table0[batch, 1, 1]"],
  ],
  [
    "with what heads say",
    ({ head, query, key }) => multiply(subtract(query, key), head),
    ["position: query - key"],
  ],
  [
    "of positions and of indices",
    ({ query, key, queryIndex, keyIndex }) =>
      add(subtract(query, key), subtract(queryIndex, keyIndex)),
    ["position: query - key", "index: queryIndex - keyIndex"],
  ],
  [
    "beside the score",
    ({ score, query, key }) => add(score, multiply(subtract(query, key), 2)),
    ["position: float32((query - key) * 2)"],
  ],
  [
    "in a table",
    ({ score, batch, queryIndex, keyIndex }) =>
      add(score, biases.at(batch, 1, subtract(keyIndex, queryIndex))),
    ["index: table0[batch, 1, keyIndex - queryIndex]"],
  ],
  [
    "in a choice",
    ({ score, query, key }) => where(less(subtract(query, key), 3), score, subtract(key, query)),
    ["position: query - key < 3", "position: float32(key - query)"],
  ],
  ["of a position and an index", ({ query, keyIndex }) => subtract(query, keyIndex), []],
  ["of an index and a position", ({ queryIndex, key }) => subtract(key, queryIndex), []],
  ["of a key and a head", ({ key, head }) => subtract(key, head), []],
  ["a sum", ({ query, key }) => add(query, key), []],
  ["a product", ({ query, key }) => multiply(query, key), []],
  ["a batch entry", ({ batch }) => multiply(batch, 2), []],
])("differences of queries and keys: %s", (_, build, expected) => {
  const { form } = bindProgram(scoreMod(build));
  expect([...diagonalsOf(form)].map(([n, kind]) => `${kind}: ${textOf(form, n)}`)).toEqual(
    expected,
  );
});
