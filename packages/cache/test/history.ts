/** A cache beside a model that keeps every token as it is stored, and attention over all of them. */
import {
  type Attention,
  type AttentionInputs,
  type BoundScatter,
  fromFloat64,
  type HostTensor,
  isDeviceTensor,
  referenceAttention,
  scatter,
  scatterRows,
  type Tensor,
  tensor,
  toFloat64,
  zeros,
} from "@heed/core";
import { expect } from "vitest";
import type { Cache, CacheDType, CacheInputs, CacheOptions } from "../src/index.js";

/** Backends on which every cache works. */
export const complete: readonly string[] = ["js", "wasm", "webgpu"];

/** Sizes of the caches of these tests. */
export const sizes = { batch: 2, kvHeads: 2, headDim: 8, valueDim: 12 } as const;
const queryHeads = 4;

/** A token of one batch entry: its key and value, all heads, as the cache stores them. */
interface Token {
  readonly key: Float64Array;
  readonly value: Float64Array;
}

export type Random = () => number;

/** Rules of a call beside the cache's inputs, for some of the batch entries. */
export type RulesOf = (
  entries: readonly number[],
) => Pick<AttentionInputs, "maskMod" | "scoreMod" | "alibiSlopes">;

/** Numbers from −1 to 1 (mulberry32). */
export function randomFrom(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

export function randomTensor(random: Random, shape: readonly number[]): HostTensor<"float32"> {
  const count = shape.reduce((product, size) => product * size, 1);
  return tensor(Float32Array.from({ length: count }, random), shape);
}

/** A tensor's values as a cache of a dtype holds them. */
function stored(t: HostTensor, dtype: CacheDType): Float64Array {
  if (dtype !== "int8") return toFloat64(fromFloat64(toFloat64(t), t.shape, dtype));
  const [batch, heads, n, size] = t.shape as [number, number, number, number];
  const target = zeros("int8", t.shape);
  const scales = zeros("float32", [batch, heads, n]);
  const slots = Int32Array.from({ length: batch * n }, (_, i) => i % n);
  const inputs = { target, source: t, scales, slots, paged: false };
  scatterRows(scatter.bind(scatter.describe(inputs), inputs) as BoundScatter<HostTensor>);
  return toFloat64(target).map((x, i) => x * (scales.data[Math.floor(i / size)] as number));
}

/** A cache and what it should hold. */
export class Modelled {
  readonly attention: Attention;
  readonly cache: Cache;
  readonly options: CacheOptions;
  tokens: readonly Token[][];

  constructor(attention: Attention, cache: Cache, options: CacheOptions, tokens?: Token[][]) {
    this.attention = attention;
    this.cache = cache;
    this.options = options;
    this.tokens = tokens ?? Array.from({ length: sizes.batch }, () => []);
  }

  /** Appends n random tokens, of which `counts` are real. */
  async append(random: Random, n: number, counts: readonly number[] | undefined): Promise<void> {
    const key = randomTensor(random, [sizes.batch, sizes.kvHeads, n, sizes.headDim]);
    const value = randomTensor(random, [sizes.batch, sizes.kvHeads, n, sizes.valueDim]);
    await this.cache.append({ key, value, lengths: counts });
    const keys = stored(key, this.cache.dtype);
    const values = stored(value, this.cache.dtype);
    const row = (t: Float64Array, b: number, i: number, size: number): Float64Array =>
      Float64Array.from({ length: sizes.kvHeads * size }, (_, at) => {
        const [h, c] = [Math.floor(at / size), at % size];
        return t[((b * sizes.kvHeads + h) * n + i) * size + c] as number;
      });
    for (let b = 0; b < sizes.batch; b++) {
      for (let i = 0; i < (counts?.[b] ?? n); i++) {
        this.tokens[b]?.push({
          key: row(keys, b, i, sizes.headDim),
          value: row(values, b, i, sizes.valueDim),
        });
      }
    }
  }

  truncate(lengths: readonly number[]): void {
    this.cache.truncate(lengths);
    for (const [b, length] of lengths.entries()) (this.tokens[b] as Token[]).length = length;
  }

  async reorder(indices: readonly number[]): Promise<void> {
    await this.cache.reorder(indices);
    this.tokens = indices.map((b) => [...(this.tokens[b] as Token[])]);
  }

  fork(): Modelled {
    const copy = this.tokens.map((tokens) => [...tokens]);
    return new Modelled(this.attention, this.cache.fork(), this.options, copy);
  }

  /**
   * Runs attention for n query rows, and compares those of real tokens with attention over everything.
   *
   * @param rules of the call and of the comparison, by the positions of tokens
   * @param more of the call alone, by its inputs
   */
  async check(
    random: Random,
    n: number,
    counts: readonly number[] | undefined,
    rules?: RulesOf,
    more?: (inputs: CacheInputs) => Partial<AttentionInputs>,
  ): Promise<void> {
    const query = randomTensor(random, [sizes.batch, queryHeads, n, sizes.headDim]);
    const inputs = this.cache.inputs({ queryLength: n, ownPositions: rules !== undefined });
    const call = { ...inputs, ...rules?.([0, 1]), ...more?.(inputs) };
    const { output } = await this.attention.run({ query, causal: true, ...call });
    const found = toFloat64(await toHost(output));
    for (let b = 0; b < sizes.batch; b++) {
      const rows = counts?.[b] ?? n;
      const expected = this.#expected(query, b, rows, n, rules);
      for (let h = 0; h < queryHeads; h++) {
        for (let i = 0; i < rows; i++) {
          for (let c = 0; c < sizes.valueDim; c++) {
            const at = ((b * queryHeads + h) * n + i) * sizes.valueDim + c;
            const right = expected[(h * rows + i) * sizes.valueDim + c] as number;
            const close = Math.abs((found[at] as number) - right) < 2e-5;
            if (!close) expect.fail(`entry ${b}, head ${h}, row ${i}: ${found[at]}, not ${right}`);
          }
        }
      }
    }
  }

  /** Attention of the first rows of a query's entry, the last tokens of the model, in float64. */
  #expected(
    query: HostTensor,
    b: number,
    rows: number,
    n: number,
    rules: RulesOf | undefined,
  ): Float64Array {
    const tokens = this.tokens[b] as Token[];
    const { window = Number.POSITIVE_INFINITY, keep = 0 } = this.options;
    const gather = (of: (token: Token) => Float64Array, size: number): HostTensor => {
      const data = new Float64Array(sizes.kvHeads * tokens.length * size);
      for (const [t, token] of tokens.entries()) {
        for (let h = 0; h < sizes.kvHeads; h++) {
          const from = of(token).subarray(h * size, (h + 1) * size);
          data.set(from, (h * tokens.length + t) * size);
        }
      }
      return tensor(data, [1, sizes.kvHeads, tokens.length, size]);
    };
    const all = toFloat64(query);
    const own = new Float64Array(queryHeads * rows * sizes.headDim);
    for (let h = 0; h < queryHeads; h++) {
      const start = (b * queryHeads + h) * n * sizes.headDim;
      const part = all.subarray(start, start + rows * sizes.headDim);
      own.set(part, h * rows * sizes.headDim);
    }
    const mask = Array.from({ length: rows * tokens.length }, (_, at) => {
      const p = tokens.length - rows + Math.floor(at / tokens.length);
      const t = at % tokens.length;
      return t <= p && (t >= p - window || t < keep);
    });
    const { output } = referenceAttention({
      query: tensor(own, [1, queryHeads, rows, sizes.headDim]),
      key: gather(({ key }) => key, sizes.headDim),
      value: gather(({ value }) => value, sizes.valueDim),
      mask: tensor(mask, [rows, tokens.length], { dtype: "bool" }),
      queryOffset: tokens.length - rows,
      ...rules?.([b]),
    });
    return toFloat64(output as HostTensor);
  }

  /** Fills all rows of an empty cache with NaN, which nobody may notice. */
  async poison(): Promise<void> {
    const { key, value, keyScales, valueScales } = this.cache.inputs();
    for (const [rows, scales] of [
      [key, keyScales],
      [value, valueScales],
    ] as const) {
      const [entries, heads, count, size] = rows.shape as [number, number, number, number];
      const source = tensor(new Float32Array(entries * heads * count * size).fill(Number.NaN), [
        entries,
        heads,
        count,
        size,
      ]);
      const slots = Int32Array.from({ length: entries * count }, (_, i) => i % count);
      const inputs = { target: rows, source, slots, paged: false, ...(scales && { scales }) };
      await this.attention.apply(scatter, inputs);
    }
  }
}

/** A tensor in host memory; one on a device is read and disposed. */
export async function toHost(t: Tensor): Promise<HostTensor> {
  if (!isDeviceTensor(t)) return t as HostTensor;
  const host = await t.read();
  t.dispose();
  return host;
}
