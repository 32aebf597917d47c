import {
  type Attention,
  projection,
  rmsNorm,
  rotary,
  slice,
  splitHeads,
  type Tensor,
} from "@heed/core";
import type { Owned } from "@heed/core/owned";
import { positionsOf } from "./cache.js";
import type { LayerCall } from "./inputs.js";
import type { LayerOptions, LayerRotary, Linear } from "./options.js";
import type { PlacedNorm, PlacedWeights } from "./place.js";

/** Query, key and value of a call, `[B, heads, rows, size]`. */
export interface Heads {
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
}

type Positions = { readonly positions: Int32Array } | { readonly offset: number | Int32Array };

/** The projections of one call, in the memory that its weights are in. */
export class Projections {
  readonly #attention: Attention;
  readonly #options: LayerOptions;
  readonly #weights: PlacedWeights;
  readonly #owned: Owned;

  /** @param owned takes every tensor that is made */
  constructor(attention: Attention, options: LayerOptions, weights: PlacedWeights, owned: Owned) {
    this.#attention = attention;
    this.#options = options;
    this.#weights = weights;
    this.#owned = owned;
  }

  /** A linear layer over the last axis. */
  async linear({ weight, bias }: Linear, input: Tensor): Promise<Tensor> {
    const { output } = await this.#attention.apply(projection, {
      input,
      weight,
      ...(bias && { bias }),
    });
    return this.#owned.keep(output);
  }

  /** Query, key and value, normalised and turned. */
  async heads(call: LayerCall): Promise<Heads> {
    const { queryHeads, kvHeads, headDim, rotary: turn } = this.#options;
    const weights = this.#weights;
    const { queryNorm, keyNorm } = weights;
    const split = (t: Tensor, heads: number): Tensor =>
      this.#owned.keep(splitHeads(t, heads) as Tensor);
    const columns = (t: Tensor, from: number, to: number): Tensor =>
      this.#owned.keep(slice(t, 2, from, to) as Tensor);
    const { query: q, key: k, value: v } = call;
    const [queryWidth, keyWidth] = [queryHeads * headDim, kvHeads * headDim];
    let query: Tensor;
    let key: Tensor;
    let value: Tensor;
    if (!call.appends) {
      query = split(await this.linear(weights.query, q), queryHeads);
      query = await this.#turnedQuery(call, query);
      return { query, key: query, value: query };
    }
    if (weights.all !== null && k === q && v === q) {
      const all = await this.linear(weights.all, q);
      const width = all.shape[2] as number;
      value = split(columns(all, queryWidth + keyWidth, width), kvHeads);
      if (turn !== undefined && queryNorm === null && keyNorm === null) {
        // Query and key have the same positions: they are turned together.
        const both = split(columns(all, 0, queryWidth + keyWidth), queryHeads + kvHeads);
        const turned = await this.#turn({ ...turn, ...weights.tables }, both, queryPositions(call));
        query = this.#owned.keep(slice(turned, 1, 0, queryHeads) as Tensor);
        key = this.#owned.keep(slice(turned, 1, queryHeads, queryHeads + kvHeads) as Tensor);
        return { query, key, value };
      }
      query = split(columns(all, 0, queryWidth), queryHeads);
      key = split(columns(all, queryWidth, queryWidth + keyWidth), kvHeads);
    } else {
      query = split(await this.linear(weights.query, q), queryHeads);
      if (weights.keyValue !== null && v === k) {
        const both = await this.linear(weights.keyValue, k);
        key = split(columns(both, 0, keyWidth), kvHeads);
        value = split(columns(both, keyWidth, both.shape[2] as number), kvHeads);
      } else {
        key = split(await this.linear(weights.key, k), kvHeads);
        value = split(await this.linear(weights.value, v), kvHeads);
      }
    }
    query = await this.#turnedQuery(call, query);
    if (keyNorm) key = await this.#normalised(keyNorm, key);
    if (turn === undefined) return { query, key, value };
    const own = k === q ? queryPositions(call) : keyPositions(call);
    const tables = { ...turn, ...weights.tables };
    return { query, key: await this.#turn(tables, key, own), value };
  }

  /** Queries normalised, and turned as the keys are, by the layer's rotary or the cache's. */
  async #turnedQuery(call: LayerCall, query: Tensor): Promise<Tensor> {
    const { rotary: own } = this.#options;
    const { queryNorm, tables } = this.#weights;
    const turn = own ? { ...own, ...tables } : call.cache?.rotary;
    const normalised = queryNorm ? await this.#normalised(queryNorm, query) : query;
    if (!turn) return normalised;
    return this.#turn(turn, normalised, queryPositions(call));
  }

  async #normalised({ weight, epsilon }: PlacedNorm, input: Tensor): Promise<Tensor> {
    const { output } = await this.#attention.apply(rmsNorm, { input, weight, epsilon });
    return this.#owned.keep(output);
  }

  async #turn(turn: LayerRotary, input: Tensor, positions: Positions): Promise<Tensor> {
    const { output } = await this.#attention.apply(rotary, { input, ...turn, ...positions });
    return this.#owned.keep(output);
  }
}

function queryPositions({ positions, cache, batch, appends }: LayerCall): Positions {
  if (positions !== undefined) return { positions };
  return { offset: cache && appends ? offsets(positionsOf(cache, batch)) : 0 };
}

/** Keys of cross-attention count from 0, or from where the cache ends. */
function keyPositions({ cache, batch }: LayerCall): Positions {
  return { offset: cache === undefined ? 0 : offsets(positionsOf(cache, batch)) };
}

/** One offset for all entries where they have the same: rotary then shares a table. */
function offsets(positions: Int32Array): number | Int32Array {
  const first = positions[0] ?? 0;
  return positions.every((position) => position === first) ? first : positions;
}
