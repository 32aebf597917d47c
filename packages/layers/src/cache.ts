import {
  type AttentionInputs,
  type BatchIntegers,
  describeValue,
  fromFloat64,
  type HostTensor,
  InvalidInputError,
  isDeviceTensor,
  type Tensor,
  tensor,
  toFloat64,
} from "@heed/core";
import { reading } from "@heed/core/options";
import type { LayerOptions, LayerRotary } from "./options.js";

/** The members of a cache that a layer uses; those of `@heed/cache` have them. */
export interface LayerCache {
  /** Position of the next token of each batch entry. */
  readonly positions: BatchIntegers;
  /** Name of the backend whose memory it is in; null or left out for host memory. */
  readonly backend?: string | null | undefined;
  /** Whether it turns keys as they come in. */
  readonly rotates?: boolean | undefined;
  /** How it turns them: then a layer without a `rotary` turns its queries likewise. */
  readonly rotary?: LayerRotary | null | undefined;
  /** `"rolling"`: rows are no positions. */
  readonly kind?: string | undefined;
  append(inputs: {
    readonly key: Tensor;
    readonly value: Tensor;
    readonly lengths?: BatchIntegers | undefined;
  }): Promise<void>;
  /**
   * Inputs of attention for the rows that were appended last, or the last `queryLength` ones. A rolling cache is
   * told the layer's window, and whether tokens that it keeps need their own positions.
   */
  inputs(options?: {
    readonly queryLength?: number;
    readonly window?: number | undefined;
    readonly ownPositions?: boolean;
  }): CachedInputs;
  /** Takes tokens back, to a number of them for each batch entry. */
  truncate(lengths: BatchIntegers): void;
}

/** Programs of a call, and its blocks. */
export type Programs = Pick<AttentionInputs, "maskMod" | "scoreMod" | "blockMask">;

/** Inputs of attention that a cache gives. */
export type CachedInputs = Pick<AttentionInputs, "key" | "value"> &
  Partial<Omit<AttentionInputs, "query" | "returns">>;

/**
 * @param turns whether the layer has a rotary of its own
 * @throws InvalidInputError for what is no cache, or one that turns keys which the layer turns as well
 */
export function checkCache(value: unknown, turns: boolean): LayerCache {
  return reading("cache", () => {
    const cache = value as Partial<LayerCache> | null;
    const fits =
      typeof cache === "object" &&
      cache !== null &&
      typeof cache.append === "function" &&
      typeof cache.inputs === "function" &&
      typeof cache.truncate === "function" &&
      cache.positions !== undefined;
    if (!fits) throw new InvalidInputError("cache", "what createCache gives", describeValue(value));
    if (cache.rotates === true && turns) {
      throw new InvalidInputError(
        "cache",
        "one without a rotary of its own: the layer's turns queries and keys",
        "one that turns keys as they come in",
      );
    }
    if (cache.rotates === true && (cache.rotary ?? null) === null) {
      const expected =
        "a cache whose member rotary says how it turns keys, for queries to be turned";
      throw new InvalidInputError("cache", expected, "one that turns keys and does not say how");
    }
    return cache as LayerCache;
  });
}

/** Positions of the next tokens. @throws InvalidInputError unless there is one for each batch entry */
export function positionsOf(cache: LayerCache, batch: number): Int32Array {
  const positions = reading("cache", () => Int32Array.from(cache.positions as ArrayLike<number>));
  if (positions.length === batch) return positions;
  throw new InvalidInputError(
    "cache",
    `a cache of ${batch} batch entries, as the query has`,
    `one of ${positions.length}`,
  );
}

/** Rows of keys that a call over the cache has. */
function keyLengthOf({ key, pageTable }: CachedInputs): number {
  const rows = key.shape[2] as number;
  return pageTable === undefined ? rows : (pageTable.shape[1] as number) * rows;
}

/**
 * A mask or bias over the tokens so far as one over all rows of the cache.
 *
 * @throws InvalidInputError beside a rolling cache, whose rows are no positions, unless it has one column
 */
export async function overCache(
  argument: "mask" | "bias",
  given: Tensor,
  cache: LayerCache,
  stored: CachedInputs,
): Promise<Tensor> {
  const columns = given.shape.at(-1);
  if (columns === undefined || columns === 1) return given;
  if (cache.kind === "rolling") {
    throw new InvalidInputError(
      argument,
      "a last axis of 1 beside a rolling cache, whose rows are no positions",
      `[${given.shape.join(", ")}]`,
    );
  }
  const all = keyLengthOf(stored);
  if (columns >= all) return given;
  const host = isDeviceTensor(given) ? await given.read() : given;
  const values = toFloat64(host);
  const rows = values.length / columns;
  const padded = new Float64Array(rows * all);
  for (let row = 0; row < rows; row++) {
    padded.set(values.subarray(row * columns, (row + 1) * columns), row * all);
  }
  return fromFloat64(padded, [...given.shape.slice(0, -1), all], given.dtype);
}

/**
 * Inputs that a cache gives for a call, and the window of both. A rolling cache is told how far back the layer looks,
 * since its kept tokens are seen beyond that.
 */
export function storedFor(
  cache: LayerCache,
  { length, programs }: { readonly length: number; readonly programs: Programs },
  { window, alibiSlopes }: LayerOptions["rules"],
): CachedInputs {
  if (cache.kind !== "rolling") {
    const stored = cache.inputs({ queryLength: length });
    return { ...stored, window: narrower(window, stored.window) };
  }
  const { maskMod, scoreMod } = programs;
  const ownPositions = (alibiSlopes ?? maskMod ?? scoreMod) !== undefined;
  const stored = cache.inputs({ queryLength: length, window: window?.left, ownPositions });
  const ahead = window?.right === undefined ? undefined : { right: window.right };
  return { ...stored, window: narrower(ahead, stored.window) };
}

/** The window that lies in both. */
function narrower(
  a: AttentionInputs["window"],
  b: AttentionInputs["window"],
): AttentionInputs["window"] {
  if (a === undefined || b === undefined) return a ?? b;
  const least = (x: number | undefined, y: number | undefined): number | undefined =>
    x === undefined ? y : y === undefined ? x : Math.min(x, y);
  return { left: least(a.left, b.left), right: least(a.right, b.right) };
}

/** Keys that both masks show, over the sizes of both. */
export function bothMasks(a: HostTensor, b: HostTensor): HostTensor<"bool"> {
  const rank = Math.max(a.shape.length, b.shape.length);
  const sizes = (t: HostTensor): readonly number[] => [
    ...new Array<number>(rank - t.shape.length).fill(1),
    ...t.shape,
  ];
  const [x, y] = [sizes(a), sizes(b)];
  const shape = x.map((size, axis) => (size === 1 ? (y[axis] as number) : size));
  const count = shape.reduce((product, size) => product * size, 1);
  const [left, right] = [toFloat64(a), toFloat64(b)];
  const visible = new Uint8Array(count);
  const index = shape.map(() => 0);
  for (let at = 0; at < count; at++) {
    let rest = at;
    for (let axis = rank - 1; axis >= 0; axis--) {
      index[axis] = rest % (shape[axis] as number);
      rest = Math.floor(rest / (shape[axis] as number));
    }
    const of = (own: readonly number[], values: Float64Array): number => {
      let from = 0;
      for (let axis = 0; axis < rank; axis++) {
        from = from * (own[axis] as number) + (own[axis] === 1 ? 0 : (index[axis] as number));
      }
      return values[from] as number;
    };
    visible[at] = of(x, left) && of(y, right) ? 1 : 0;
  }
  return tensor(visible, shape, { dtype: "bool" });
}
