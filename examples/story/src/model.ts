import { type Cache, type CacheOptions, createCache } from "@heed/cache";
import { type MultiHeadAttention, multiHeadAttention } from "@heed/layers";
import { type Attention, type HostTensor, tensor } from "heed";
import type { Checkpoint, LayerWeights } from "./checkpoint.js";

/** How keys and values are kept. */
export type CacheChoice = Pick<CacheOptions, "kind" | "dtype" | "window" | "keep" | "capacity">;

/** A Llama: attention with rotary embedding and SwiGLU, each after a norm, and a cache for each layer. */
export class Model {
  readonly #weights: Checkpoint;
  readonly #layers: readonly MultiHeadAttention[];
  readonly caches: readonly Cache[];

  private constructor(weights: Checkpoint, layers: MultiHeadAttention[], caches: Cache[]) {
    this.#weights = weights;
    this.#layers = layers;
    this.caches = caches;
  }

  static async create(
    attention: Attention,
    weights: Checkpoint,
    choice: CacheChoice,
  ): Promise<Model> {
    const { heads, kvHeads, headDim } = weights;
    const layers = weights.layers.map(({ query, key, value, output }) =>
      multiHeadAttention(attention, {
        queryHeads: heads,
        kvHeads,
        causal: true,
        rotary: { theta: 10000, interleaved: true },
        weights: {
          query: { weight: query },
          key: { weight: key },
          value: { weight: value },
          output: { weight: output },
        },
      }),
    );
    const caches = layers.map(() => createCache(attention, { kvHeads, headDim, ...choice }));
    return new Model(weights, await Promise.all(layers), await Promise.all(caches));
  }

  /** Tokens in the caches. */
  get length(): number {
    return this.caches[0]?.lengths[0] ?? 0;
  }

  /** Logits of the token after each of the given ones, which go into the caches: `[tokens, vocabulary]`. */
  async next(tokens: readonly number[]): Promise<Float32Array[]> {
    const { embedding, norm } = this.#weights;
    const dim = embedding.shape[1] as number;
    let rows = tokens.map((token) => embedding.data.slice(token * dim, (token + 1) * dim));
    for (const [i, weights] of this.#weights.layers.entries()) {
      const layer = this.#layers[i] as MultiHeadAttention;
      const normed = rows.flatMap((row) => [...normalised(row, weights.attentionNorm)]);
      const query = tensor(Float32Array.from(normed), [1, rows.length, dim]);
      const { output } = await layer.run({ query, cache: this.caches[i] });
      rows = rows.map((row, r) => row.map((x, c) => x + (output.data[r * dim + c] as number)));
      rows = rows.map((row) => {
        const forward = feedForward(normalised(row, weights.forwardNorm), weights);
        return row.map((x, c) => x + (forward[c] as number));
      });
    }
    return rows.map((row) => product(embedding, normalised(row, norm)));
  }

  /** Takes back all but the first tokens. */
  truncate(length: number): void {
    for (const cache of this.caches) cache.truncate(length);
  }

  dispose(): void {
    for (const part of [...this.caches, ...this.#layers]) part.dispose();
  }
}

/** RMSNorm (arXiv:1910.07467). */
function normalised(row: Float32Array, weight: Float32Array): Float32Array {
  const square = row.reduce((sum, x) => sum + x * x, 0) / row.length;
  const factor = 1 / Math.sqrt(square + 1e-5);
  return row.map((x, c) => x * factor * (weight[c] as number));
}

/** SwiGLU (arXiv:2002.05202). */
function feedForward(row: Float32Array, { gate, up, down }: LayerWeights): Float32Array {
  const wide = product(up, row);
  const gated = product(gate, row).map((x, c) => (x / (1 + Math.exp(-x))) * (wide[c] as number));
  return product(down, gated);
}

/** A matrix `[out, in]` times a vector. */
function product({ data, shape }: HostTensor<"float32">, row: Float32Array): Float32Array {
  const result = new Float32Array(shape[0] as number);
  for (let o = 0, at = 0; o < result.length; o++) {
    let sum = 0;
    for (let c = 0; c < row.length; c++) sum += (data[at++] as number) * (row[c] as number);
    result[o] = sum;
  }
  return result;
}
