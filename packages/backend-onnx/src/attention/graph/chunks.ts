import type { GraphBuilder, Value } from "../../model/builder.js";

/** Whether chunks of equal length are all of the keys, or leave some over: see {@link keyChunks}. */
export type ChunkKind = "even" | "ragged";

/** Keys of a chunk, at least: kernels are slow at shorter sums. */
const shortest = 128;

/** How a graph adds up many keys. */
export interface ChunkSpec {
  /** The chunks of the softmax's denominator. */
  readonly sums: ChunkKind;
  /** How weights and values are multiplied: by the same chunks, or by {@link panelProduct}. */
  readonly products: "chunks" | "panels";
}

/** Size of values from which panels have 512 keys at most; those of narrower ones have more, and drift more. */
export const narrowestPanels = 32;

/**
 * The fastest way that is measured. Chunks of one row cost next to nothing where they are all of the keys.
 * Else they copy the values, or multiply several short rows by each chunk, and panels are faster, if a
 * provider has them.
 *
 * @param rows query rows that share a key head
 */
export function chunkSpec(keyLength: number, rows: number, panels: boolean): ChunkSpec {
  const sums = keyChunks(keyLength).kind;
  const chunks = !panels || (sums === "even" && rows === 1);
  return { sums, products: chunks ? "chunks" : "panels" };
}

/** How sums over a number of keys are split into chunks of equal length. */
export interface KeyChunks {
  readonly kind: ChunkKind;
  readonly count: number;
  readonly length: number;
}

/**
 * Splits keys into chunks, about as many as a chunk has keys. The kernels of onnxruntime add up the values
 * and the exponentials of all keys one after another, in float32, so that the error of a sum grows with the
 * number of keys: up to 8.6·10⁻⁵ over 32,768 nearly equal keys. Sums of chunks, which are then added, keep
 * it at about 10⁻⁶.
 *
 * `"even"`: the chunks are all of the keys, and the values are read where they lie. `"ragged"`: no suitable
 * length divides the number of keys, and the values are copied, as the graph has to cut off the rest.
 */
export function keyChunks(keyLength: number): KeyChunks {
  const preferred = Math.max(2 * shortest, Math.round(Math.sqrt(keyLength)));
  for (let off = 0; off <= 3 * preferred; off++) {
    for (const length of [preferred - off, preferred + off]) {
      if (length < shortest || keyLength % length !== 0) continue;
      return { kind: "even", count: keyLength / length, length };
    }
  }
  return { kind: "ragged", count: Math.floor(keyLength / preferred), length: preferred };
}

/**
 * `weights · values`, summed by chunks of keys.
 *
 * Inputs of the model: `chunkedWeights` and `chunkedValues`, int64: the shapes `[0, 0, 0, count, length]`
 * and `[0, 0, count, length, size]`, in which 0 keeps a size; `chunkedKeys`, int64 `[1]`, if ragged.
 *
 * @param weights `[B, Hkv, rows, Lk]`
 * @param values `[B, Hkv, Lk, size]`
 * @returns `[B, Hkv, rows, size]`
 */
export function chunkedProduct(
  g: GraphBuilder,
  kind: ChunkKind,
  weights: Value,
  values: Value,
): Value {
  const [keyAxisOfWeights, keyAxisOfValues] = [3, 2];
  const w = cut(g, kind, weights, keyAxisOfWeights);
  const v = cut(g, kind, values, keyAxisOfValues);
  const weightChunks = g.op("Transpose", [g.op("Reshape", [w.whole, weightShape(g)])], {
    perm: [0, 1, 3, 2, 4],
  });
  const valueShape = once(g, "chunkedValues", [5]);
  const valueChunks = g.op("Reshape", [v.whole, valueShape]);
  const chunkAxis = 2;
  const sums = g.op("MatMul", [weightChunks, valueChunks]);
  const sum = g.op("ReduceSum", [sums, g.integers(chunkAxis)], { keepdims: 0 });
  return w.rest && v.rest ? g.op("Add", [sum, g.op("MatMul", [w.rest, v.rest])]) : sum;
}

/**
 * `weights · values` on the CPU, where a product of several rows and columns adds up panels of 128 to 512
 * keys (see {@link narrowestPanels}) and then these, about as accurately as chunks do. One row or column takes another path, which adds up all
 * keys one after another, unless the product is scaled: so it is halved, and doubled by adding it to itself.
 * A factor would be fused into the product's own. Tested by long-caches.node.test.ts.
 *
 * @param weights `[B, Hkv, rows, Lk]`
 * @param values `[B, Hkv, Lk, size]`
 * @returns `[B, Hkv, rows, size]`
 */
export function panelProduct(g: GraphBuilder, weights: Value, values: Value): Value {
  const [half] = g.node(
    "FusedMatMul",
    [weights, values],
    ["half"],
    { alpha: { float: 0.5 } },
    "com.microsoft",
  );
  return g.op("Add", [half, half]);
}

/**
 * The sum over the last axis, by chunks.
 *
 * @param x `[B, heads, rows, Lk]`
 * @returns `[B, heads, rows, 1]`
 */
export function chunkedSum(g: GraphBuilder, kind: ChunkKind, x: Value): Value {
  const { whole, rest } = cut(g, kind, x, 3);
  const chunks = g.op("Reshape", [whole, weightShape(g)]);
  const ofEach = g.op("ReduceSum", [chunks, g.integers(-1)], { keepdims: 0 });
  const sum = g.reduce("ReduceSum", ofEach);
  return rest ? g.op("Add", [sum, g.reduce("ReduceSum", rest)]) : sum;
}

function weightShape(g: GraphBuilder): Value {
  return once(g, "chunkedWeights", [5]);
}

function once(g: GraphBuilder, name: string, dims: readonly number[]): Value {
  return g.has(name) ? name : g.input(name, "int64", dims);
}

/** The keys of all whole chunks, and those after them, if any. */
function cut(
  g: GraphBuilder,
  kind: ChunkKind,
  x: Value,
  axis: number,
): { whole: Value; rest: Value | null } {
  if (kind === "even") return { whole: x, rest: null };
  const end = once(g, "chunkedKeys", [1]);
  const axes = g.integers(axis);
  return {
    whole: g.op("Slice", [x, g.integers(0), end, axes]),
    rest: g.op("Slice", [x, end, g.integers(2 ** 31 - 1), axes]),
  };
}
