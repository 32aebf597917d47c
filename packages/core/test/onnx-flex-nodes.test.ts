import {
  type Attention,
  type AttentionInputs,
  createAttention,
  type HostTensor,
  InvalidInputError,
  reference,
  referenceAttention,
  tensor,
  toFloat64,
  zeros,
} from "@heed/core";
import { onnxFlexAttention } from "@heed/core/onnx";
import { beforeAll, describe, expect, test } from "vitest";
import { type Constants, graph, int, type Node } from "./flex-graph.js";

let attention: Attention;
beforeAll(async () => {
  attention = await createAttention({ backends: [reference()] });
});

const one = "s b h q k";
const all = "scores";

/** A node of one score, with what it gives for scores from −3 to 3. */
type OfScore = readonly [string, Node, (s: number) => number, Constants?];
const ofScore: readonly OfScore[] = [
  ["Div by 0", ["Div", "zero s", "y"], (s) => (s === 0 ? Number.NaN : 0), { zero: 0 }],
  ["Reciprocal", ["Reciprocal", "s", "y"], (s) => 1 / s],
  ["Pow 3", ["Pow", "s n", "y"], (s) => s ** 3, { n: 3 }],
  ["Pow -2", ["Pow", "s n", "y"], (s) => s ** -2, { n: -2 }],
  ["Mod", ["Mod", "s n", "y", { fmod: 1 }], (s) => s % 0.75, { n: 0.75 }],
  ["Clip", ["Clip", "s - most", "y"], (s) => Math.min(s, 1), { most: 1 }],
  ["Clip below", ["Clip", "s least", "y"], (s) => Math.max(s, -0.5), { least: -0.5 }],
  ["Max", ["Max", "s a b", "y"], (s) => Math.max(s, 0.25), { a: 0.25, b: -1 }],
  ["Mean", ["Mean", "s a", "y"], (s) => (s + 3) / 2, { a: 3 }],
  [
    "Round",
    ["Round", "s", "y"],
    (s) => (s % 2 === 0.5 || s % 2 === -1.5 ? Math.floor(s) : Math.round(s)),
  ],
  ["Ceil", ["Ceil", "s", "y"], Math.ceil],
  ["Sign", ["Sign", "s", "y"], Math.sign],
  ["Sigmoid", ["Sigmoid", "s", "y"], (s) => 1 / (1 + Math.exp(-s))],
  ["Softplus", ["Softplus", "s", "y"], (s) => Math.log1p(Math.exp(s))],
  ["Softsign", ["Softsign", "s", "y"], (s) => s / (1 + Math.abs(s))],
  ["LeakyRelu", ["LeakyRelu", "s", "y", { alpha: 0.5 }], (s) => (s < 0 ? s / 2 : s)],
  ["Tanh", ["Tanh", "s", "y"], Math.tanh],
];

const cases = ofScore.map(([name, node, expected, constants]) => ({
  name,
  node,
  expected,
  constants,
}));

test.each(cases)("$name", async ({ node, expected, constants }) => {
  // Scores of one head from −3 to 3 in quarters, and of weights that prob_mod gives back as they are.
  const count = 25;
  const scores = Float32Array.from({ length: count }, (_, n) => n / 4 - 3);
  const run: AttentionInputs<HostTensor>[] = [];
  const watched: Pick<Attention, "run"> = {
    run: (given: AttentionInputs) => {
      run.push({ ...given, returns: { scores: "biased" } } as AttentionInputs<HostTensor>);
      return attention.run(given as AttentionInputs<HostTensor>) as never;
    },
  };
  const ones = tensor(new Float32Array(1).fill(1), [1, 1, 1, 1]);
  const K = tensor(scores, [1, 1, count, 1]);
  await onnxFlexAttention(
    watched,
    { Q: ones, K, V: K },
    { scale: 1, score_mod: graph(one, [node], constants) },
  );
  const given = toFloat64(
    referenceAttention(run[0] as AttentionInputs<HostTensor>).scores as HostTensor,
  );
  for (const [n, score] of scores.entries()) {
    const value = expected(score);
    if (Number.isFinite(value)) expect(given[n]).toBeCloseTo(value, 6);
    else expect(given[n]).toBe(value);
  }
});

const inputs = {
  Q: zeros("float32", [2, 4, 5, 4]),
  K: zeros("float32", [2, 2, 7, 4]),
  V: zeros("float32", [2, 2, 7, 3]),
};

describe("wrong graphs are errors that name the node", () => {
  const score = (nodes: readonly Node[], constants?: Constants) => ({
    score_mod: graph(one, nodes, constants),
  });
  test.each<[string, object, string, string]>([
    [
      "an unknown operator",
      score([["Einsum", "s", "y"]]),
      "score_mod.nodes[0] (Einsum)",
      "one of the operators Abs",
    ],
    [
      "scores that move",
      { score_mod: graph(all, [["Transpose", "scores", "y"]]) },
      "score_mod.nodes[0] (Transpose)",
      "stay in their places",
    ],
    [
      "another domain",
      {
        score_mod: {
          ...graph(one, []),
          nodes: [{ op_type: "Gelu", domain: "com.microsoft", inputs: ["s"], outputs: ["y"] }],
        },
      },
      "score_mod.nodes[0] (Gelu)",
      "ONNX's own domain",
    ],
    [
      "a value that nothing makes",
      score([["Add", "s z", "y"]]),
      "score_mod.nodes[0] (Add)",
      "made before it",
    ],
    [
      "types that differ",
      score([["Add", "s k", "y"]]),
      "score_mod.nodes[0] (Add)",
      "numbers of one type",
    ],
    [
      "an exponent that is a value",
      score([["Pow", "s s", "y"]]),
      "score_mod.nodes[0] (Pow)",
      "a constant integer",
    ],
    [
      "a number of inputs",
      { score_mod: graph("a b", [["Add", "a b", "y"]]) },
      "score_mod.inputs",
      "1 or 5 inputs",
    ],
    ["bools as scores", score([["Less", "s s", "y"]]), "score_mod.outputs[0]", "floats"],
    [
      "another shape",
      { score_mod: graph(all, [["Shape", "scores", "y"]]) },
      "score_mod.outputs[0]",
      "shape [2, 4, 5, 7]",
    ],
    [
      "an initializer of too few elements",
      score([["Add", "s c", "y"]], { c: { data_type: 1, dims: [3], values: [1] } }),
      "score_mod.initializers[0].values",
      "3 elements",
    ],
    [
      "integers of 64 bits",
      score([["Add", "k c", "y"]], { c: int(2 ** 40) }),
      "score_mod.initializers[0].values",
      "32-bit integers",
    ],
    [
      "strings",
      score([["Add", "s c", "y"]], { c: { data_type: 8, values: [1] } }),
      "score_mod.initializers[0].data_type",
      "an element type",
    ],
    ["a graph that is none", { prob_mod: 3 }, "prob_mod", "a graph as JSON"],
    ["an unknown attribute", { enable: 1 }, "enable", "one of the attributes scale"],
  ])("%s", async (_, attributes, argument, expected) => {
    const error = await onnxFlexAttention(attention, inputs, attributes).catch((e) => e);
    expect(error).toBeInstanceOf(InvalidInputError);
    expect(error.argument).toBe(argument);
    expect(error.expected).toContain(expected);
  });
});
