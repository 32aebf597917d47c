import {
  type Attention,
  type HostTensor,
  InvalidInputError,
  isHeedError,
  rotary,
  zeros,
} from "@heed/core";
import { backendFor, type Place, placeOf } from "./memory/place.js";
import { Rows, type Sides } from "./memory/rows.js";
import { type CacheOptions, type CacheRotary, type CacheSizes, checkOptions } from "./options.js";
import { PagedState } from "./state/paged.js";
import { PagePool } from "./state/pool.js";
import { RollingState } from "./state/rolling.js";
import type { CacheState } from "./state/state.js";
import { StaticState } from "./state/static.js";

/** The parts that a cache is made of. */
export interface CacheParts {
  readonly sizes: CacheSizes;
  readonly rotary: CacheRotary | null;
  readonly rows: Rows;
  readonly state: CacheState;
}

/** A cache of options that was not given memory yet. */
export interface CachePlan extends Omit<CacheParts, "rows"> {
  readonly place: Place;
}

/**
 * Checks options, and finds the memory for them.
 *
 * @throws InvalidInputError, UnsupportedError (rejects)
 */
export async function planCache(attention: Attention, options: CacheOptions): Promise<CachePlan> {
  if (typeof attention?.apply !== "function" || typeof attention.explain !== "function") {
    throw new InvalidInputError("attention", "an attention, of createAttention", "another value");
  }
  const sizes = checkOptions(options);
  const turned = options.rotary === undefined ? null : checkRotary(options.rotary, sizes);
  const state = stateOf(sizes);
  const name = options.backend ?? (await backendFor(attention, sizes, state.inputs(1, null)));
  return { sizes, rotary: turned, state, place: placeOf(attention, name) };
}

/** The parts of an empty cache. */
export async function openCache(attention: Attention, options: CacheOptions): Promise<CacheParts> {
  const { place, ...plan } = await planCache(attention, options);
  return { ...plan, rows: await allocateRows(place, plan.sizes) };
}

/** Rows that are known to be writable: in host memory where a backend writes no rows in its own. */
async function allocateRows(place: Place, sizes: CacheSizes): Promise<Rows> {
  const rows = Rows.allocate(place, sizes);
  return writable(rows, sizes, () => Rows.allocate({ ...place, backend: null }, sizes));
}

/** Rows with contents. */
export async function fillRows(
  place: Place,
  sizes: CacheSizes,
  given: Sides<HostTensor>,
): Promise<Rows> {
  const rows = await Rows.from(place, sizes, given);
  return writable(rows, sizes, () => Rows.from({ ...place, backend: null }, sizes, given));
}

async function writable(
  rows: Rows,
  { batch, kvHeads, headDim, valueDim }: CacheSizes,
  otherwise: () => Rows | Promise<Rows>,
): Promise<Rows> {
  const row = (size: number) => zeros("float32", [batch, kvHeads, 1, size]);
  try {
    // Writes nothing, and makes ready what every append runs.
    const slots = new Int32Array(batch).fill(-1);
    await rows.write("key", row(headDim), slots);
    await rows.write("value", row(valueDim), slots);
    return rows;
  } catch (error) {
    rows.leave();
    if (rows.place.backend === null || !isHeedError(error, "unsupported")) throw error;
    return otherwise();
  }
}

function stateOf(sizes: CacheSizes): CacheState {
  const { kind, batch, capacity, maxLength, pageSize } = sizes;
  if (kind === "static") return new StaticState(batch, capacity);
  if (kind === "rolling") return new RollingState(sizes);
  return new PagedState(batch, maxLength, new PagePool(capacity / pageSize, pageSize));
}

/** @throws InvalidInputError naming the option of rotary at fault */
function checkRotary(given: CacheRotary, { batch, kvHeads, headDim }: CacheSizes): CacheRotary {
  const options = { ...given };
  if (options.cos !== undefined && options.cos.shape?.length !== 2) {
    const shape = `[${options.cos.shape}]`;
    throw new InvalidInputError("cos", "a table [maxPosition, rotaryDim / 2]", shape);
  }
  rotary.describe({ input: zeros("float32", [batch, kvHeads, 0, headDim]), ...options });
  return options;
}
