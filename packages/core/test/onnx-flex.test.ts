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
} from "@heed/core";
import { type OnnxGraphJson, type OnnxTensorJson, onnxFlexAttention } from "@heed/core/onnx";
import {
  and,
  equal,
  less,
  lessEqual,
  maskMod,
  multiply,
  scoreMod,
  subtract,
  table,
  where,
} from "@heed/core/program";
import { beforeAll, describe, expect, test } from "vitest";

let attention: Attention;
beforeAll(async () => {
  attention = await createAttention({ backends: [reference()] });
});

const [batch, heads, queries, keys] = [2, 4, 5, 7];
const waves = (...shape: number[]): HostTensor<"float32"> =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 1.7)),
    shape,
  );
const inputs = {
  Q: waves(batch, heads, queries, 4),
  K: waves(batch, 2, keys, 4),
  V: waves(batch, 2, keys, 3),
};
const call = { query: inputs.Q, key: inputs.K, value: inputs.V };

type Node = readonly [operator: string, inputs: string, output: string, attributes?: object];
type Constants = Readonly<Record<string, number | Omit<OnnxTensorJson, "name">>>;

/** A graph whose output is its last node's; numbers are floats. */
function graph(names: string, nodes: readonly Node[], constants: Constants = {}): OnnxGraphJson {
  return {
    inputs: names.split(" ").map((name) => ({ name })),
    outputs: [{ name: nodes.at(-1)?.[2] ?? "none" }],
    initializers: Object.entries(constants).map(([name, value]) => ({
      name,
      ...(typeof value === "number" ? { data_type: 1, values: [value] } : value),
    })),
    nodes: nodes.map(([op_type, read, output, attributes = {}]) => ({
      op_type,
      inputs: read === "" ? [] : read.split(" ").map((name) => (name === "-" ? "" : name)),
      outputs: [output],
      attributes: attributes as Record<string, unknown>,
    })),
  };
}
const ints = (...values: number[]): Omit<OnnxTensorJson, "name"> => ({
  data_type: 7,
  dims: [values.length],
  values,
});
const int = (value: number) => ({ data_type: 7, values: [value] });

const one = "s b h q k";
const all = "scores";
/** Indices of queries and keys, by the sizes of the scores. */
const positions: readonly Node[] = [
  ["Shape", "scores", "sizes"],
  ["Gather", "sizes two", "L"],
  ["Shape", "scores", "last", { start: -1 }],
  ["Squeeze", "last", "S"],
  ["Range", "zero L unit", "i"],
  ["Unsqueeze", "i minus", "q"],
  ["Range", "zero S unit", "k"],
];
const counting: Constants = { zero: int(0), unit: int(1), two: int(2), minus: ints(-1) };

async function expectAs(
  attributes: Parameters<typeof onnxFlexAttention>[2],
  programs: Pick<AttentionInputs, "maskMod" | "scoreMod">,
): Promise<void> {
  const { Y } = await onnxFlexAttention(attention, inputs, attributes);
  const expected = toFloat64(referenceAttention({ ...call, ...programs }).output);
  toFloat64(Y).forEach((value, at) => {
    expect(value).toBeCloseTo(expected[at] as number, 6);
  });
}

test("graphs of a score and its indices, and of all scores, are the same programs", async () => {
  const bias = scoreMod(({ score, queryIndex, keyIndex }) =>
    subtract(score, multiply(subtract(queryIndex, keyIndex), 0.25)),
  );
  const ofOne = graph(
    one,
    [
      ["Sub", "q k", "distance"],
      ["Cast", "distance", "far", { to: 1 }],
      ["Mul", "far slope", "off"],
      ["Sub", "s off", "y"],
    ],
    { slope: 0.25 },
  );
  await expectAs({ score_mod: ofOne }, { scoreMod: bias });
  const ofAll = graph(
    all,
    [
      ...positions,
      ["Sub", "q k", "distance"],
      ["Cast", "distance", "far", { to: 10 }],
      ["Mul", "far slope", "off"],
      ["Sub", "scores off", "y"],
    ],
    { ...counting, slope: 0.25 },
  );
  await expectAs({ score_mod: ofAll }, { scoreMod: bias });
});

test("documents and a causal mask hide keys", async () => {
  const ids = [0, 0, 1, 1, 1, 2, 0];
  const document = table(tensor(Int32Array.from(ids), [7]));
  const visible = maskMod(({ queryIndex, keyIndex }) =>
    and(lessEqual(keyIndex, queryIndex), equal(document.at(queryIndex), document.at(keyIndex))),
  );
  const same: readonly Node[] = [
    ["Gather", "ids q", "mine"],
    ["Gather", "ids k", "yours"],
    ["Equal", "mine yours", "same"],
    ["LessOrEqual", "k q", "past"],
    ["And", "past same", "visible"],
  ];
  await expectAs({ mask_mod: graph("b h q k", same, { ids: ints(...ids) }) }, { maskMod: visible });
  const hidden: readonly Node[] = [["Where", "visible scores never", "y"]];
  const constants = {
    ...counting,
    ids: ints(...ids),
    never: { data_type: 1, values: ["-Infinity" as const] },
  };
  await expectAs(
    { score_mod: graph(all, [...positions, ...same, ...hidden], constants) },
    { maskMod: visible },
  );
  await expectAs(
    { mask_mod: graph(all, [...positions, ...same], constants) },
    { maskMod: visible },
  );
  // mask_mod sees what score_mod gives.
  await expectAs(
    {
      score_mod: graph(one, [["Mul", "s s", "y"]]),
      mask_mod: graph(all, [["Less", "scores half", "visible"]], { half: 0.5 }),
    },
    {
      scoreMod: scoreMod(({ score }) =>
        where(less(multiply(score, score), 0.5), multiply(score, score), Number.NEGATIVE_INFINITY),
      ),
    },
  );
});

test("a triangle of ones, a learned bias of heads and what Reshape and Slice make of it", async () => {
  const bias = waves(heads, queries, keys);
  const biases = { data_type: 1, dims: [2, 2 * queries, keys + 1], values: [] as number[] };
  for (let row = 0; row < heads * queries; row++) {
    biases.values.push(9, ...toFloat64(bias).subarray(row * keys, (row + 1) * keys));
  }
  const learned = table(bias);
  await expectAs(
    {
      score_mod: graph(
        all,
        [
          ["Slice", "biases starts ends axes", "cut"],
          ["Reshape", "cut shape", "bias"],
          [
            "ConstantOfShape",
            "square",
            "ones",
            { value: { data_type: 1, dims: [1], values: [1] } },
          ],
          ["Trilu", "ones -", "upper", { upper: 1 }],
          ["Mul", "bias upper", "kept"],
          ["Add", "scores kept", "y"],
        ],
        {
          biases,
          starts: ints(1),
          ends: ints(2 ** 63),
          axes: ints(-1),
          shape: ints(1, heads, -1, keys),
          square: ints(queries, keys),
        },
      ),
    },
    {
      scoreMod: scoreMod(({ score, head, queryIndex, keyIndex }) =>
        where(
          less(keyIndex, queryIndex),
          score,
          multiply(1, subtract(score, multiply(-1, learned.at(head, queryIndex, keyIndex)))),
        ),
      ),
    },
  );
});

/** A node of one score, with what it gives for scores from −3 to 3. */
const ofScore: readonly (readonly [string, Node, (s: number) => number, Constants?])[] = [
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

test.each(ofScore)("%s", async (_, node, expected, constants) => {
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

test("integers are divided towards 0, and their remainders have a sign that fmod chooses", async () => {
  const row = (node: Node, n: number) =>
    graph(one, [["Sub", "k four", "x"], node, ["Cast", "z", "y", { to: 1 }]], {
      four: int(4),
      n: int(n),
    });
  const expected = (apply: (x: number) => number) => {
    const values = table(
      tensor(
        Int32Array.from({ length: keys }, (_, k) => apply(k - 4)),
        [keys],
      ),
    );
    return { scoreMod: scoreMod(({ keyIndex }) => values.at(keyIndex)) };
  };
  await expectAs(
    { score_mod: row(["Div", "x n", "z"], 3) },
    expected((x) => Math.trunc(x / 3)),
  );
  await expectAs(
    { score_mod: row(["Div", "x n", "z"], -3) },
    expected((x) => Math.trunc(x / -3)),
  );
  await expectAs(
    { score_mod: row(["Mod", "x n", "z"], 3) },
    expected((x) => ((x % 3) + 3) % 3),
  );
  await expectAs(
    { score_mod: row(["Mod", "x n", "z", { fmod: 1 }], 3) },
    expected((x) => x % 3),
  );
});

test("prob_mod changes weights, of which a 0 leaves its value out", async () => {
  const V = waves(batch, 2, keys, 3);
  (V.data as Float32Array).fill(Number.NaN, 0, 3);
  const { Y } = await onnxFlexAttention(
    attention,
    { ...inputs, V },
    {
      score_mod: graph(
        one,
        [
          ["Equal", "k zero", "first"],
          ["Where", "first never s", "y"],
        ],
        {
          zero: int(0),
          never: { data_type: 1, values: ["-Infinity" as const] },
        },
      ),
      prob_mod: graph(one, [
        ["Cast", "h", "f", { to: 1 }],
        ["Mul", "s f", "y"],
      ]),
    },
  );
  const { output } = referenceAttention({
    ...call,
    maskMod: maskMod(({ keyIndex }) => less(0, keyIndex)),
  });
  const expected = toFloat64(output);
  toFloat64(Y).forEach((value, at) => {
    const head = Math.floor(at / (queries * 3)) % heads;
    expect(value).toBeCloseTo(head * (expected[at] as number), 6);
  });
});

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
