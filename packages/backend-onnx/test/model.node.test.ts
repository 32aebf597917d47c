/** Graphs of one's own, through the package's entry point: built, encoded, loaded and run. */
import { fromBinary } from "@bufbuild/protobuf";
import { encodeModel, GraphBuilder } from "@heed/backend-onnx/model";
import { InvalidInputError } from "@heed/core";
import { env, InferenceSession, Tensor } from "onnxruntime-web";
import { beforeAll, expect, test } from "vitest";
import { ModelProtoSchema } from "../src/generated/onnx_pb.js";

beforeAll(() => {
  env.wasm.numThreads = 1;
});

async function run(
  g: GraphBuilder,
  feeds: Record<string, Tensor> = {},
): Promise<Record<string, ArrayLike<unknown>>> {
  const session = await InferenceSession.create(encodeModel(g.build()), { logSeverityLevel: 3 });
  const results = await session.run(feeds);
  await session.release();
  return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data]));
}

const floats = (dims: readonly number[], ...values: number[]): Tensor =>
  new Tensor("float32", values, dims);

const query = floats([1, 1, 2, 2], 1, 2, 3, 4);
const key = floats([1, 1, 2, 2], 1, 0, 1, 2);
const value = floats([1, 1, 2, 2], 10, 20, 30, 40);

test("a node's later results are read, those between left out: Attention's fourth", async () => {
  const g = new GraphBuilder(23);
  const dims = [1, 1, 2, 2];
  const [q, k, v] = ["q", "k", "v"].map((name) => g.input(name, "float32", dims));
  const inputs = [q as string, k as string, v as string];
  const results = g.node("Attention", inputs, ["Y", "", "", "scores"], { scale: { float: 1 } });
  const [output, pastKey, pastValue, scores] = results;
  expect([pastKey, pastValue]).toEqual(["", ""]);
  g.output("scores", scores, "float32", dims);
  g.output("output", output, "float32", dims);

  const { graph } = fromBinary(ModelProtoSchema, encodeModel(g.build()));
  expect(graph?.node.map((node) => node.output)).toEqual([["output", "", "", "scores"]]);
  const given = await run(g, { q: query, k: key, v: value });
  expect(given.scores).toEqual(Float32Array.of(1, 5, 3, 11));
  const mix = (low: number, high: number): number =>
    (10 + 30 * Math.exp(high - low)) / (1 + Math.exp(high - low));
  expect(given.output?.[0]).toBeCloseTo(mix(1, 5), 4);
  expect(given.output?.[2]).toBeCloseTo(mix(3, 11), 4);
});

test("all results are read: MultiHeadAttention's cache", async () => {
  const g = new GraphBuilder(18);
  const inputs = ["q", "k", "v"].map((name) => g.input(name, "float32", [1, 2, 4]));
  const [output, presentKey, presentValue] = g.node(
    "MultiHeadAttention",
    inputs,
    ["output", "presentKey", "presentValue"],
    { num_heads: 2 },
    "com.microsoft",
  );
  g.output("output", output, "float32", [1, 2, 4]);
  g.output("presentKey", presentKey, "float32", [1, 2, 2, 2]);
  g.output("presentValue", presentValue, "float32", [1, 2, 2, 2]);
  const t = floats([1, 2, 4], 1, 2, 3, 4, 5, 6, 7, 8);
  const { presentKey: keys, presentValue: values } = await run(g, { q: t, k: t, v: t });
  expect(keys).toEqual(Float32Array.of(1, 2, 5, 6, 3, 4, 7, 8));
  expect(values).toEqual(keys);
});

test("an optional input is left out", async () => {
  const g = new GraphBuilder(18);
  const x = g.input("x", "float32", [3]);
  g.output("y", g.op("Clip", [x, "", g.scalar("float32", 2)]), "float32", [3]);
  expect((await run(g, { x: floats([3], -5, 1, 7) })).y).toEqual(Float32Array.of(-5, 1, 2));
});

test.each([
  [18, 8],
  [20, 9],
  [22, 10],
  [23, 11],
  [24, 12],
  [27, 13],
  [28, 14],
])("opset %i needs version %i of the format", (opset, version) => {
  const g = new GraphBuilder(opset);
  g.output("y", g.input("x", "float32", [1]), "float32", [1]);
  const { irVersion, opsetImport } = fromBinary(ModelProtoSchema, encodeModel(g.build()));
  expect([opsetImport[0]?.version, irVersion]).toEqual([BigInt(opset), BigInt(version)]);
});

test("attributes are integers, floats, lists of them, and text", async () => {
  const g = new GraphBuilder(20);
  const x = g.input("x", "float32", [1]);
  const approximate = g.op("Gelu", [x], { approximate: "tanh" });
  g.output("gelu", approximate, "float32", [1]);
  g.output("leaky", g.op("LeakyRelu", [x], { alpha: { float: 0.5 } }), "float32", [1]);
  g.output("half", g.op("Cast", [x], { to: 7 }), "int64", [1]);
  const list = g.op("Constant", [], { value_floats: { float: [0.5, -2] } });
  g.output("list", list, "float32", [2]);
  g.output("integers", g.op("Constant", [], { value_ints: [3, -4] }), "int64", [2]);
  const given = await run(g, { x: floats([1], -1) });
  // By the error function it is −0.15866.
  expect(given.gelu?.[0]).toBeCloseTo(-0.158808, 5);
  expect(given).toMatchObject({
    leaky: Float32Array.of(-0.5),
    half: BigInt64Array.of(-1n),
    list: Float32Array.of(0.5, -2),
    integers: BigInt64Array.of(3n, -4n),
  });
});

test.each([
  ["float64", [0.1, -0, Number.NEGATIVE_INFINITY], Float64Array.of(0.1, -0, -Infinity)],
  ["float32", [0.1, -0, Number.NaN], Float32Array.of(0.1, -0, Number.NaN)],
  ["float16", [1.5, -65504, 2 ** -24], Float32Array.of(1.5, -65504, 2 ** -24)],
  ["int64", [2 ** 53 - 1, -1, 0], BigInt64Array.of(2n ** 53n - 1n, -1n, 0n)],
  ["int32", [2 ** 31 - 1, -1, 0], Int32Array.of(2 ** 31 - 1, -1, 0)],
  ["bool", [1, 0, 1], Uint8Array.of(1, 0, 1)],
] as const)("a constant of %s keeps its elements", async (dtype, values, expected) => {
  const g = new GraphBuilder(18);
  const constant = g.constant(dtype, [3], values);
  const read = dtype === "float16" ? g.cast(constant, dtype, "float32") : constant;
  g.output("y", read, dtype === "float16" ? "float32" : dtype, [3]);
  expect((await run(g)).y).toEqual(expected);
});

test("equal constants are kept once; 0 and −0, and long ones, are not taken for each other", () => {
  const g = new GraphBuilder(18);
  const long = Array.from({ length: 100 }, (_, i) => i);
  const values = [
    g.scalar("float32", 0),
    g.scalar("float32", -0),
    g.scalar("float64", 0),
    g.integers(0),
    g.constant("float32", [100], long),
    g.constant("float32", [100], long.toReversed()),
    g.constant("float32", [100], new Float32Array(100).fill(3)),
    g.constant("float32", [10, 10], new Float32Array(100).fill(3)),
  ];
  expect(new Set(values).size).toBe(values.length);
  expect(g.scalar("float32", -0)).toBe(values[1]);
  expect(g.constant("float32", [100], new Array(100).fill(3))).toBe(values[6]);
  expect(g.build().constants).toHaveLength(values.length);
});

test.each([17, 18, 19, 20, 21, 22, 23, 24, 25])(
  "a model of opset %i is of a file format that is read",
  async (opset) => {
    const g = new GraphBuilder(opset);
    const x = g.input("x", "float32", ["n"]);
    g.output("y", g.op("Neg", [x]), "float32", ["n"]);
    expect((await run(g, { x: floats([2], 1, -2) })).y).toEqual(Float32Array.of(-1, 2));
  },
);

test("an input, and one value twice, can be outputs", async () => {
  const g = new GraphBuilder(18);
  const x = g.input("x", "float32", [1]);
  const negative = g.op("Neg", [x]);
  g.output("same", x, "float32", [1]);
  g.output("a", negative, "float32", [1]);
  g.output("b", negative, "float32", [1]);
  expect(await run(g, { x: floats([1], 3) })).toEqual({
    same: Float32Array.of(3),
    a: Float32Array.of(-3),
    b: Float32Array.of(-3),
  });
});

test("names are identifiers, and one's own are not taken for those of results", async () => {
  const g = new GraphBuilder(18);
  const x = g.input("neg_0", "float32", [1]);
  const y = g.op("Neg", [g.op("Neg", [g.op("Mul", [x, g.scalar("float32", -0.5)])])]);
  const [best] = g.node("TopK", [y, g.integers(1)], ["values", "indices"]);
  g.output("neg_1", best, "float32", [1]);
  const { graph } = fromBinary(ModelProtoSchema, encodeModel(g.build()));
  const names = [
    graph?.name,
    ...(graph?.initializer ?? []).map(({ name }) => name),
    ...(graph?.node ?? []).flatMap(({ name, output }) => [name, ...output]),
  ];
  expect(names.filter((name) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name ?? ""))).toEqual([]);
  expect((await run(g, { neg_0: floats([1], 3) })).neg_1).toEqual(Float32Array.of(-1.5));
});

test("mistakes are told where they are made", () => {
  const g = new GraphBuilder(18);
  const x = g.input("x", "float32", [1]);
  expect(() => g.input("x", "float32", [1])).toThrow(InvalidInputError);
  expect(() => g.input("", "float32", [1])).toThrow(InvalidInputError);
  expect(() => g.input("a b", "float32", [1])).toThrow(InvalidInputError);
  expect(() => g.node("TopK", [x, x], ["a", "a"])).toThrow(InvalidInputError);
  expect(() => g.op("Neg", ["y"])).toThrow("Neg's input: expected a value of this graph");
  expect(() => g.op("LeakyRelu", [x], { alpha: 0.5 })).toThrow("LeakyRelu's alpha");
  expect(() => g.op("Transpose", [x], { perm: [0, 0.5] })).toThrow("Transpose's perm");
  expect(() => g.constant("float32", [2], [1])).toThrow("values: expected 2 elements, got 1");
  expect(() => g.output("x", x, "float32", [1])).toThrow(InvalidInputError);
  expect(() => g.output("z", "y", "float32", [1])).toThrow(InvalidInputError);
  const [, omitted] = g.node("Dropout", [x], ["output", ""]);
  expect(() => g.output("mask", omitted, "bool", [1])).toThrow(InvalidInputError);
});
