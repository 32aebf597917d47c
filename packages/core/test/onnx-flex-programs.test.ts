/** Programs of scores and masks that FlexAttention's graphs become, and weights that another graph changes. */

import { beforeAll, describe, expect, test } from "vitest";
import { programsOf, weightProgram } from "../src/attention/onnx/flex/programs.js";
import {
  type Attention,
  createAttention,
  type HostTensor,
  mergeHeads,
  reference,
  zeros,
} from "../src/index.js";
import { onnxFlexAttention } from "../src/onnx.js";
import { bindProgram, programEvaluator } from "../src/program.js";
import { constantOf } from "./flex-elements.js";
import { type Constants, graph, type Node } from "./flex-graph.js";
import { expectElements, naiveAttention, waves } from "./naive-attention.js";
import { errorOf } from "./program/error-of.js";

let attention: Attention;
beforeAll(async () => {
  attention = await createAttention({ backends: [reference()], selfTest: false });
});

const shape = [2, 4, 5, 7] as const;
const one = "s b h q k";
const given = (nodes: readonly Node[], constants?: Constants) => graph("scores", nodes, constants);
const identity: readonly Node[] = [["Identity", "c", "y"]];
const bools = (...dims: number[]) => constantOf(dims, undefined, 9);
const truths = (dims: readonly number[]) =>
  constantOf(
    dims,
    Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, at) => at % 2),
    9,
  );

test("graphs that are left out make no programs, and others those that they need", () => {
  const score = graph(one, [["Mul", "s s", "y"]]);
  const mask = graph("b h q k", [["Less", "k q", "y"]]);
  const seen = given([["Less", "scores c", "y"]], { c: 1 });
  const names = (graphs: object) => Object.keys(programsOf(graphs as never, shape));
  expect(names({})).toEqual([]);
  expect(names({ score_mod: score })).toEqual(["scoreMod"]);
  expect(names({ mask_mod: mask })).toEqual(["maskMod"]);
  expect(names({ score_mod: score, mask_mod: mask })).toEqual(["scoreMod", "maskMod"]);
  // A mask that depends on scores is a part of the score program.
  expect(names({ mask_mod: seen })).toEqual(["scoreMod"]);
  expect(names({ score_mod: score, mask_mod: given([["Identity", "scores", "y"]]) })).toEqual([
    "scoreMod",
  ]);
});

test.each([[[]], [[1]], [[7]], [[5, 1]], [[5, 7]], [[4, 1, 7]], [[2, 4, 5, 7]], [[2, 1, 1, 1]]])(
  "a mask broadcasts to the scores: %j",
  (dims) => {
    const constants = { c: truths(dims) };
    const { maskMod } = programsOf({ mask_mod: given(identity, constants) } as never, shape);
    const evaluate = programEvaluator(bindProgram(maskMod as never));
    const all = [1, 1, 1, 1, ...dims].slice(-4);
    for (const place of [
      [0, 0, 0, 0],
      [1, 3, 4, 6],
      [1, 2, 3, 5],
      [0, 1, 2, 3],
    ]) {
      const at = place.reduce(
        (sum, index, axis) => sum * (all[axis] as number) + (all[axis] === 1 ? 0 : index),
        0,
      );
      const [batch, head, query, key] = place as [number, number, number, number];
      const point = { batch, head, query, key, queryIndex: query, keyIndex: key };
      expect([place, evaluate(point)]).toEqual([place, at % 2]);
    }
  },
);

test("scores may be given the shape that they have", () => {
  const sizes: Node = ["Shape", "scores", "sizes"];
  for (const operator of ["Reshape", "Expand"]) {
    const nodes: readonly Node[] = [sizes, [operator, "scores sizes", "y"]];
    expect(Object.keys(programsOf({ score_mod: given(nodes) } as never, shape))).toEqual([
      "scoreMod",
    ]);
  }
});

describe("results that are none", () => {
  const whole = "shape [2, 4, 5, 7], as the scores, or a scalar";
  const c = (dims: readonly number[], type: number) => ({ c: constantOf(dims, undefined, type) });
  const last = (name: string) => `${name}.outputs[0]`;
  test.each<[string, string, object, string, string]>([
    ["mask_mod", "", given(identity, { c: truths([6]) }), whole, "[6]"],
    ["mask_mod", "", given(identity, { c: truths([4, 7]) }), whole, "[4, 7]"],
    ["mask_mod", "", given(identity, { c: truths([1, 1, 1, 1, 7]) }), whole, "[1, 1, 1, 1, 7]"],
    ["mask_mod", "", given(identity, c([7], 1)), whole, "[7]"],
    ["mask_mod", "", given(identity, c([], 7)), "bools or scores", "int32"],
    ["score_mod", "", given(identity, c([7], 1)), whole, "[7]"],
    ["score_mod", "", given(identity, c([1, 1], 1)), whole, "[1, 1]"],
    ["score_mod", "", given(identity, { c: bools(1) }), "floats", "bool"],
    ["score_mod", "", given(identity, c([], 7)), "floats", "int32"],
    ["score_mod", ".inputs", graph("a b", [["Add", "a b", "y"]]), "1 or 5 inputs", "2"],
    ["mask_mod", ".inputs", graph("a b", [["Add", "a b", "y"]]), "1 or 4 inputs", "2"],
    [
      "score_mod",
      ".nodes[1] (Reshape)",
      given(
        [
          ["Identity", "c", "to"],
          ["Reshape", "scores to", "y"],
        ],
        { c: constantOf([2], [40, 7]) },
      ),
      "a value that is not computed from the scores, which stay in their places",
      "scores",
    ],
  ])("%s%s", (name, member, json, expected, actual) => {
    const error = errorOf(() => programsOf({ [name]: json } as never, shape));
    expect(error.argument).toBe(member === "" ? last(name) : `${name}${member}`);
    expect([error.expected, error.actual]).toEqual([expected, actual]);
  });

  test("of weights, by their own name", () => {
    const error = errorOf(() => weightProgram(given(identity, c([7], 1)), shape));
    expect([error.argument, error.expected]).toEqual([last("prob_mod"), whole]);
  });

  test("a single number is one for all", () => {
    for (const dims of [[], [1]]) {
      const { scoreMod } = programsOf({ score_mod: given(identity, c(dims, 1)) } as never, shape);
      expect(scoreMod?.toString()).toBe("0.0");
    }
  });
});

describe("weights", () => {
  const inputs = { Q: waves(2, 4, 5, 4), K: waves(2, 2, 7, 4), V: waves(2, 2, 7, 3) };
  test("are changed by what batch entry, head, query and key they are of", async () => {
    const prob_mod = graph(
      one,
      [
        ["Mul", "h two", "ofHeads"],
        ["Add", "ofHeads k", "first"],
        ["Mul", "q three", "ofQueries"],
        ["Add", "first ofQueries", "second"],
        ["Mul", "b five", "ofBatch"],
        ["Add", "second ofBatch", "number"],
        ["Cast", "number", "factor", { to: 1 }],
        ["Mul", "s factor", "y"],
      ],
      {
        two: constantOf([], [2]),
        three: constantOf([], [3]),
        five: constantOf([], [5]),
      },
    );
    const { Y } = await onnxFlexAttention(attention, inputs, { prob_mod, scale: 0.7 });
    const { weights } = naiveAttention(
      inputs.Q,
      inputs.K,
      inputs.V,
      (_b, _h, _i, _j, score) => 0.7 * score,
    );
    const expected = new Array<number>(2 * 5 * 4 * 3).fill(0);
    for (const [at, weight] of weights.entries()) {
      const [k, q] = [at % 7, Math.floor(at / 7) % 5];
      const [h, b] = [Math.floor(at / 35) % 4, Math.floor(at / 140)];
      const changed = weight * (5 * b + 3 * q + 2 * h + k);
      for (let c = 0; c < 3; c++) {
        const value = inputs.V.data[((2 * b + Math.floor(h / 2)) * 7 + k) * 3 + c] as number;
        const to = ((b * 5 + q) * 4 + h) * 3 + c;
        expected[to] = (expected[to] as number) + changed * value;
      }
    }
    expectElements(mergeHeads(Y) as HostTensor, expected);
  });

  test("without any key give 0", async () => {
    const none = {
      Q: inputs.Q,
      K: zeros("float32", [2, 2, 0, 4]),
      V: zeros("float32", [2, 2, 0, 3]),
    };
    const prob_mod = graph(one, [["Add", "s s", "y"]]);
    const { Y } = await onnxFlexAttention(attention, none, { prob_mod });
    expectElements(Y, new Array(2 * 4 * 5 * 3).fill(0));
  });

  test.each<[object, object, string, string, string]>([
    [{ Q: waves(5, 4) }, {}, "Q", "4 axes", "[5, 4]"],
    [{ K: waves(2, 7, 4) }, {}, "K", "4 axes", "[2, 7, 4]"],
    [{ V: waves(1, 2, 2, 7, 3) }, {}, "V", "4 axes", "[1, 2, 2, 7, 3]"],
    [{ K: waves(2, 2, 7, 5) }, {}, "K", "the query's head size 4", "5"],
    [{ V: waves(2, 2, 6, 3) }, {}, "V", "the key's length 7", "6"],
    [{ bias: 1 }, {}, "inputs.bias", "only Q, K, V", '"bias"'],
    [{}, { scale: "1" }, "scale", "a finite number", '"1"'],
    [
      {},
      { softmax_precision: 2 },
      "softmax_precision",
      "1 (float), 10 (float16), 11 (double) or 16 (bfloat16)",
      "2",
    ],
    [
      {},
      { enable: 1 },
      "enable",
      "one of the attributes scale, softmax_precision, score_mod, mask_mod, prob_mod",
      "enable",
    ],
  ])(
    "inputs and attributes that are wrong: %j, %j",
    async (changes, attributes, argument, expected, actual) => {
      const run = onnxFlexAttention(attention, { ...inputs, ...changes }, attributes as never);
      const error = await run.catch((e) => e);
      expect([error.argument, error.expected, error.actual]).toEqual([argument, expected, actual]);
    },
  );
});

test("a table of four axes has an index for each, and one of more a single one", () => {
  const rankOf = (dims: readonly number[]) => {
    const count = dims.reduce((a, b) => a * b, 1);
    const constants = {
      c: constantOf(
        dims,
        Array.from({ length: count }, (_, at) => at),
        1,
      ),
      to: constantOf([4], [2, 4, 5, 7]),
    };
    const nodes: readonly Node[] = [
      ["Reshape", "c to", "r"],
      ["Add", "scores r", "y"],
    ];
    const { scoreMod } = programsOf({ score_mod: given(nodes, constants) } as never, shape);
    return scoreMod?.tables.map(({ rank }) => rank);
  };
  expect(rankOf([2, 4, 5, 7])).toEqual([4]);
  expect(rankOf([2, 2, 2, 5, 7])).toEqual([1]);
});
