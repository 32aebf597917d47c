import {
  type Attention,
  type AttentionInputs,
  type CallOptions,
  DisposedError,
  describeProblem,
  describeValue,
  type HostTensor,
  InvalidInputError,
  isDeviceTensor,
  isHeedError,
  projection,
  rmsNorm,
  rotary,
  slice,
  splitHeads,
  type Tensor,
} from "@heed/core";
import { reading } from "@heed/core/options";
import { bothMasks, type CachedInputs, narrower, overCache, positionsOf } from "./cache.js";
import { averaged, merged, withRows } from "./heads.js";
import { type LayerCall, type LayerInputs, type LayerOutputs, readLayerCall } from "./inputs.js";
import {
  type LayerOptions,
  type LayerRotary,
  type Linear,
  type MultiHeadAttentionOptions,
  readLayerOptions,
} from "./options.js";
import { Owned } from "./owned.js";
import { type Padding, readPaddingRows, rulesOf, withExtra } from "./padding.js";
import {
  type PlacedNorm,
  type PlacedWeights,
  placeWeights,
  preferredBackend,
  repeated,
} from "./place.js";

/**
 * Multi-head attention (Vaswani et al., 2017, arXiv:1706.03762) with its projections, grouped heads, rotary
 * embedding, norms and caches.
 *
 * Its weights are uploaded once, to the memory of the backend that runs its projections, and all of a call
 * happens there: `attention` chooses, and says why as for any other call. The result is where the query is.
 * If that backend refuses a part of a call on host tensors, all of the call runs on host tensors.
 *
 * @throws InvalidInputError (rejects) naming the option at fault, DisposedError
 * @throws UnsupportedError (rejects) if no backend computes projections of the weights' dtype
 */
export async function multiHeadAttention(
  attention: Attention,
  options: MultiHeadAttentionOptions,
): Promise<MultiHeadAttention> {
  checkAttention(attention);
  const read = reading("options", () => {
    const checked = readLayerOptions(options);
    tryRules(checked);
    return checked;
  });
  const preferred = await preferredBackend(attention, read);
  const placed = await placeWeights(attention, read, preferred);
  return new MultiHeadAttention(attention, read, placed);
}

function checkAttention(value: unknown): asserts value is Attention {
  const methods = ["run", "apply", "prepare", "upload", "allocate"] as const;
  const fits = reading(
    "attention",
    () =>
      typeof value === "object" &&
      value !== null &&
      methods.every((name) => typeof (value as Partial<Attention>)[name] === "function"),
  );
  if (fits) return;
  throw new InvalidInputError(
    "attention",
    "what createAttention resolves with",
    describeValue(value),
  );
}

/** Describes a call of one token by the layer's rules. @throws InvalidInputError naming an option */
function tryRules({
  queryHeads,
  kvHeads,
  headDim,
  valueDim,
  dtype,
  rotary: turn,
  rules,
}: LayerOptions) {
  const query = repeated(dtype, [1, queryHeads, 1, headDim]);
  const key = repeated(dtype, [1, kvHeads, 1, headDim]);
  const value = repeated(dtype, [1, kvHeads, 1, valueDim]);
  describeProblem({ query, key, value, ...rules });
  if (turn !== undefined) rotary.describe({ input: query, ...turn, offset: 0 });
}

/** A layer; `multiHeadAttention` makes one. */
export class MultiHeadAttention {
  readonly #attention: Attention;
  readonly #options: LayerOptions;
  /** The backend that runs calls on host tensors, by the choice of attention. */
  #preferred: string | null;
  /** Weights by the memory that they are in. */
  readonly #placed = new Map<string | null, Promise<PlacedWeights>>();
  #disposed = false;

  /** Made by `multiHeadAttention`. */
  constructor(attention: Attention, options: LayerOptions, placed: PlacedWeights) {
    this.#attention = attention;
    this.#options = options;
    this.#preferred = placed.backend;
    this.#placed.set(placed.backend, Promise.resolve(placed));
  }

  /** Name of the backend whose memory holds the weights for calls on host tensors; null: host memory. */
  get backend(): string | null {
    return this.#preferred;
  }

  /**
   * Computes the layer. Positions and host masks are read before it returns its promise; tensors must not
   * change until it settles. Calls with the same cache have to be awaited one after another.
   *
   * @param options limits of the call of attention
   * @throws InvalidInputError (rejects) naming the input at fault, DisposedError
   * @throws UnsupportedError (rejects) as `attention.run`
   */
  async run<const Query extends Tensor>(
    inputs: LayerInputs<Query>,
    options?: CallOptions,
  ): Promise<LayerOutputs<Query>> {
    if (this.#disposed) throw new DisposedError("layer");
    const call = reading("inputs", () => readLayerCall(inputs, this.#options));
    const { place, chosen } = this.#placeOf(call);
    try {
      return (await this.#runAt(place, call, options)) as LayerOutputs<Query>;
    } catch (error) {
      const again = chosen && place !== null && isHeedError(error, "unsupported") && this.#onHost;
      if (!again) throw error;
      const outputs = await this.#runAt(null, call, options);
      return outputs as LayerOutputs<Query>;
    }
  }

  /** Gives the memory of the weights back; the caller's own tensors stay. Calling it twice is harmless. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const placed of this.#placed.values()) {
      placed.then(
        (weights) => weights.dispose(),
        () => {},
      );
    }
    this.#placed.clear();
  }

  /** Calls {@link dispose}, at the end of the scope of a `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Whether weights are in host memory too, so that other backends can compute with them. */
  get #onHost(): boolean {
    return !Object.values(this.#options.weights).some(({ weight }) => isDeviceTensor(weight));
  }

  /** The memory in which a call runs, and whether that is the layer's choice. */
  #placeOf({ query, key, value, mask, bias, cache }: LayerCall): {
    place: string | null;
    chosen: boolean;
  } {
    const onDevice = [query, key, value, mask, bias].find((t) => t && isDeviceTensor(t));
    if (onDevice !== undefined && isDeviceTensor(onDevice)) {
      return { place: onDevice.backend, chosen: false };
    }
    if (cache !== undefined) return { place: cache.backend ?? null, chosen: false };
    return { place: this.#preferred, chosen: true };
  }

  #weightsAt(place: string | null): Promise<PlacedWeights> {
    const known = this.#placed.get(place);
    if (known !== undefined) return known;
    const placed = placeWeights(this.#attention, this.#options, place);
    this.#placed.set(place, placed);
    // A later call tries again.
    placed.catch(() => this.#placed.delete(place));
    return placed;
  }

  async #runAt(
    place: string | null,
    call: LayerCall,
    options: CallOptions | undefined,
  ): Promise<LayerOutputs> {
    const owned = new Owned();
    try {
      const padding = await readPaddingRows(call);
      const weights = await this.#weightsAt(place);
      const heads = await this.#project(weights, call, owned);
      const outputs = call.cache
        ? await this.#attendOverCache(call, heads, padding, options)
        : await this.#attend(call, heads, padding, owned, options);
      const { backend, output, ...others } = outputs;
      for (const t of [output, ...Object.values(others)]) owned.keep(t as Tensor);
      const mergedOutput = await merged(this.#attention, output, owned);
      const projected = await this.#linear(weights.output, mergedOutput, owned);
      const results: Record<string, Tensor> = { output: projected };
      for (const [name, t] of Object.entries(others) as [string, Tensor][]) {
        const mean = call.average && name === "weights";
        results[name] = mean ? owned.keep(await averaged(this.#attention, t, owned)) : t;
      }
      return { ...(await settle(results, isDeviceTensor(call.query), owned)), backend };
    } finally {
      owned.dispose();
    }
  }

  async #linear({ weight, bias }: Linear, input: Tensor, owned: Owned): Promise<Tensor> {
    const { output } = await this.#attention.apply(projection, {
      input,
      weight,
      ...(bias && { bias }),
    });
    return owned.keep(output);
  }

  /** Query, key and value, `[B, heads, rows, size]`, normalised and turned. */
  async #project(weights: PlacedWeights, call: LayerCall, owned: Owned): Promise<Heads> {
    const { queryHeads, kvHeads, headDim, rotary: turn } = this.#options;
    const { queryNorm, keyNorm } = weights;
    const split = (t: Tensor, heads: number): Tensor => owned.keep(splitHeads(t, heads) as Tensor);
    const columns = (t: Tensor, from: number, to: number): Tensor =>
      owned.keep(slice(t, 2, from, to) as Tensor);
    const { query: q, key: k, value: v } = call;
    const [queryWidth, keyWidth] = [queryHeads * headDim, kvHeads * headDim];
    let query: Tensor;
    let key: Tensor;
    let value: Tensor;
    if (!call.appends) {
      query = split(await this.#linear(weights.query, q, owned), queryHeads);
      query = await this.#turnedQuery(weights, call, query, owned);
      return { query, key: query, value: query };
    }
    if (weights.all !== null && k === q && v === q) {
      const all = await this.#linear(weights.all, q, owned);
      const width = all.shape[2] as number;
      value = split(columns(all, queryWidth + keyWidth, width), kvHeads);
      if (turn !== undefined && queryNorm === null && keyNorm === null) {
        // Query and key have the same positions: they are turned together.
        const both = split(columns(all, 0, queryWidth + keyWidth), queryHeads + kvHeads);
        const turned = await this.#turn(
          { ...turn, ...weights.tables },
          both,
          this.#queryPositions(call),
          owned,
        );
        query = owned.keep(slice(turned, 1, 0, queryHeads) as Tensor);
        key = owned.keep(slice(turned, 1, queryHeads, queryHeads + kvHeads) as Tensor);
        return { query, key, value };
      }
      query = split(columns(all, 0, queryWidth), queryHeads);
      key = split(columns(all, queryWidth, queryWidth + keyWidth), kvHeads);
    } else {
      query = split(await this.#linear(weights.query, q, owned), queryHeads);
      if (weights.keyValue !== null && v === k) {
        const both = await this.#linear(weights.keyValue, k, owned);
        key = split(columns(both, 0, keyWidth), kvHeads);
        value = split(columns(both, keyWidth, both.shape[2] as number), kvHeads);
      } else {
        key = split(await this.#linear(weights.key, k, owned), kvHeads);
        value = split(await this.#linear(weights.value, v, owned), kvHeads);
      }
    }
    query = await this.#turnedQuery(weights, call, query, owned);
    if (keyNorm) key = await this.#normalised(keyNorm, key, owned);
    if (turn === undefined) return { query, key, value };
    const own = k === q ? this.#queryPositions(call) : this.#keyPositions(call);
    const tables = { ...turn, ...weights.tables };
    return { query, key: await this.#turn(tables, key, own, owned), value };
  }

  /** Queries normalised, and turned as the keys are, by the layer's rotary or the cache's. */
  async #turnedQuery(
    { queryNorm, tables }: PlacedWeights,
    call: LayerCall,
    query: Tensor,
    owned: Owned,
  ): Promise<Tensor> {
    const { rotary: own } = this.#options;
    const turn = own ? { ...own, ...tables } : call.cache?.rotary;
    const normalised = queryNorm ? await this.#normalised(queryNorm, query, owned) : query;
    if (!turn) return normalised;
    return this.#turn(turn, normalised, this.#queryPositions(call), owned);
  }

  async #normalised({ weight, epsilon }: PlacedNorm, input: Tensor, owned: Owned): Promise<Tensor> {
    const { output } = await this.#attention.apply(rmsNorm, { input, weight, epsilon });
    return owned.keep(output);
  }

  async #turn(
    turn: LayerRotary,
    input: Tensor,
    positions: Positions,
    owned: Owned,
  ): Promise<Tensor> {
    const { output } = await this.#attention.apply(rotary, { input, ...turn, ...positions });
    return owned.keep(output);
  }

  #queryPositions({ positions, cache, batch, appends }: LayerCall): Positions {
    if (positions !== undefined) return { positions };
    return { offset: cache && appends ? offsets(positionsOf(cache, batch)) : 0 };
  }

  /** Keys of cross-attention count from 0, or from where the cache ends. */
  #keyPositions({ cache, batch }: LayerCall): Positions {
    return { offset: cache === undefined ? 0 : offsets(positionsOf(cache, batch)) };
  }

  async #attend(
    call: LayerCall,
    { query, key, value }: Heads,
    padding: Padding,
    owned: Owned,
    options: CallOptions | undefined,
  ): Promise<Outputs> {
    const { extra, rules } = this.#options;
    const rest = { query, ...pick(call) };
    if (extra === undefined) {
      const places = await rulesOf(call, padding, rules);
      return this.#attention.run({ ...rest, key, value, ...rules, ...places }, options);
    }
    const inputs = {
      ...rest,
      key: await withRows(this.#attention, key, extra.key, owned),
      value: await withRows(this.#attention, value, extra.value, owned),
      ...rules,
      ...(await withExtra(call, padding, rules, extra.key.shape[0] as number)),
    };
    return this.#attention.run(inputs, options);
  }

  /** Appends, if the call does, and attends; if attention then fails, what was appended is taken back. */
  async #attendOverCache(
    call: LayerCall,
    { query, key, value }: Heads,
    padding: Padding,
    options: CallOptions | undefined,
  ): Promise<Outputs> {
    const { rules } = this.#options;
    const cache = call.cache as NonNullable<LayerCall["cache"]>;
    const before = positionsOf(cache, call.batch);
    const attend = async (): Promise<Outputs> => {
      const stored = cache.inputs({ queryLength: call.length });
      const inputs = await this.#overCache(call, query, stored);
      const window = narrower(rules.window, stored.window);
      return await this.#attention.run({ ...inputs, ...rules, window }, options);
    };
    if (!call.appends) return attend();
    if (padding.lengths === null && padding.rows !== null) {
      throw new InvalidInputError(
        "keyPadding",
        "padding that stands after the tokens of its entry, with a cache",
        "padding before or between tokens",
      );
    }
    if (cache.kind === "rolling") await this.#tryOverCache(call, query);
    await cache.append({
      key,
      value,
      ...(padding.lengths && { lengths: padding.lengths }),
    });
    try {
      return await attend();
    } catch (error) {
      cache.truncate(before);
      throw error;
    }
  }

  /** Inputs of a call over what a cache holds, but for the layer's rules. */
  async #overCache(call: LayerCall, query: Tensor, stored: CachedInputs): Promise<AttentionInputs> {
    const cache = call.cache as NonNullable<LayerCall["cache"]>;
    const { mask, bias } = call;
    const own = mask && (await overCache("mask", mask, cache, stored));
    const both =
      own && stored.mask
        ? bothMasks((await onHost(own)) as HostTensor, (await onHost(stored.mask)) as HostTensor)
        : (own ?? stored.mask);
    return {
      ...stored,
      query,
      ...(both && { mask: both }),
      ...(bias && { bias: await overCache("bias", bias, cache, stored) }),
      returns: call.returns,
    };
  }

  /** Finds out whether a backend takes the call, before a rolling cache gives rows up for it. */
  async #tryOverCache(call: LayerCall, query: Tensor): Promise<void> {
    const { rules } = this.#options;
    const cache = call.cache as NonNullable<LayerCall["cache"]>;
    let stored: CachedInputs;
    try {
      stored = cache.inputs({ queryLength: call.length });
    } catch {
      // Rows that are gone already say nothing about the call after the append.
      return;
    }
    const inputs = await this.#overCache(call, query, stored);
    await this.#attention.prepare({
      ...inputs,
      ...rules,
      window: narrower(rules.window, stored.window),
    });
  }
}

interface Heads {
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
}

type Positions = { readonly positions: Int32Array } | { readonly offset: number | Int32Array };

type Outputs = Awaited<ReturnType<Attention["run"]>>;

/** One offset for all entries where they have the same: rotary then shares a table. */
function offsets(positions: Int32Array): number | Int32Array {
  const first = positions[0] ?? 0;
  return positions.every((position) => position === first) ? first : positions;
}

function pick({ bias, returns }: LayerCall): Pick<AttentionInputs, "bias" | "returns"> {
  return { ...(bias && { bias }), returns };
}

async function onHost(t: Tensor): Promise<Tensor> {
  return isDeviceTensor(t) ? t.read() : t;
}

/** Results for the caller: left on the device, or read from it. */
async function settle(
  results: Readonly<Record<string, Tensor>>,
  onDevice: boolean,
  owned: Owned,
): Promise<Omit<LayerOutputs, "backend">> {
  const settled: Record<string, Tensor> = {};
  for (const [name, t] of Object.entries(results)) {
    if (onDevice) owned.release(t);
    settled[name] = onDevice ? t : await onHost(t);
  }
  return settled as unknown as Omit<LayerOutputs, "backend">;
}
