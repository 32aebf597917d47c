import {
  type Attention,
  type AttentionInputs,
  createAttention,
  type HostTensor,
  reference,
  referenceAttention,
  tensor,
  toFloat64,
} from "@heed/core";
import { onnxFlexAttention } from "@heed/core/onnx";
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
import { beforeAll, expect, test } from "vitest";
import { type Constants, graph, int, ints, type Node } from "./flex-graph.js";

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
