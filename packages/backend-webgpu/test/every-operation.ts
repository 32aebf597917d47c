/** Programs that have every operation, each of one value and of four, and every kind of table and scalar. */
import { tensor } from "@heed/core";
import {
  abs,
  add,
  and,
  astype,
  divide,
  equal,
  exp,
  floor,
  floorDivide,
  greater,
  greaterEqual,
  less,
  lessEqual,
  log,
  type MaskProgram,
  maskMod,
  maximum,
  minimum,
  multiply,
  type NumberExpression,
  negative,
  not,
  notEqual,
  or,
  remainder,
  type ScoreProgram,
  scalar,
  scoreMod,
  sqrt,
  subtract,
  table,
  tanh,
  where,
} from "@heed/core/program";
import { flags } from "../src/attention/params.js";
import type { KernelPrograms } from "../src/attention/programs/kernel-programs.js";

const ints = table(tensor(Int32Array.of(3, 1, 4, 1, 5, 9), [2, 3]));
const floats = table(tensor(Float32Array.of(0.5, 0, -1, 2), [2, 1, 1, 2]));
const bools = table(tensor([true, false, true, true, false], [5]));

const ofInts = (a: NumberExpression, b: NumberExpression): NumberExpression =>
  [
    subtract(a, b),
    multiply(a, b),
    floorDivide(a, b),
    floorDivide(a, 3),
    floorDivide(a, 8),
    floorDivide(a, 0),
    remainder(b, a),
    remainder(b, -5),
    remainder(b, 4),
    remainder(b, 0),
    maximum(minimum(a, b), -(2 ** 31)),
    negative(abs(b)),
    ints.at(a, b),
    astype(bools.at(b), "int32"),
    astype(multiply(astype(b, "float32"), 1e10), "int32"),
  ].reduce((sum, one) => add(sum, one));

const ofFloats = (x: NumberExpression, a: NumberExpression): NumberExpression =>
  [
    subtract(x, 0.25),
    multiply(x, -0),
    divide(x, a),
    divide(1, x),
    floor(divide(x, 3)),
    floor(sqrt(abs(x))),
    floorDivide(x, 0.3),
    remainder(x, a),
    minimum(maximum(x, -1.5), scalar(2.5)),
    negative(abs(x)),
    exp(x),
    log(abs(x)),
    sqrt(abs(x)),
    tanh(x),
    floats.at(a, 0, 0, a),
    astype(astype(x, "bool"), "float32"),
    where(less(x, 0), Number.NEGATIVE_INFINITY, 0),
    where(greater(x, 1e30), Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
  ].reduce((sum, one) => add(sum, one));

/** A mask of values of batch, row, key and both. */
export const everyMask: MaskProgram = maskMod(({ batch, head, query, key, queryIndex, keyIndex }) =>
  or(
    greaterEqual(ofInts(batch, add(batch, 1)), 7),
    lessEqual(ofInts(query, head), scalar(7)),
    notEqual(ofInts(key, keyIndex), 3),
    and(equal(ofInts(query, key), queryIndex), not(bools.at(query)), scalar(true)),
    less(ofFloats(astype(query, "float32"), key), where(bools.at(key), 0.5, 2)),
    equal(greater(ofFloats(astype(key, "float32"), batch), 0), bools.at(key)),
    equal(astype(query, "bool"), where(bools.at(key), bools.at(query), not(bools.at(batch)))),
  ),
);

export const everyScore: ScoreProgram = scoreMod(({ score, batch, head, key }) =>
  where(
    less(astype(key, "float32"), ofFloats(astype(batch, "float32"), head)),
    add(ofFloats(score, key), ofFloats(astype(head, "float32"), batch)),
    add(score, where(bools.at(head), floats.at(key, head, 0, 1), Number.NEGATIVE_INFINITY)),
  ),
);

/** With a block mask that is data. */
export const everyProgram: KernelPrograms = {
  mask: everyMask.form,
  score: everyScore.form,
  blocks: true,
  rules: flags.softcap | flags.alibi,
};
