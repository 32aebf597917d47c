import {
  type Attention,
  type AttentionInputs,
  type CallOptions,
  DisposedError,
  describeProblem,
  type HostTensor,
  InvalidInputError,
  isDeviceTensor,
  isHeedError,
  rotary,
  type Tensor,
} from "@heed/core";
import { checkAttention, reading } from "@heed/core/options";
import { mergedHeads, Owned } from "@heed/core/owned";
import { bothMasks, type CachedInputs, overCache, positionsOf, storedFor } from "./cache.js";
import { averaged, withRows } from "./heads.js";
import { type LayerCall, type LayerInputs, type LayerOutputs, readLayerCall } from "./inputs.js";
import { type LayerOptions, type MultiHeadAttentionOptions, readLayerOptions } from "./options.js";
import { type Padding, readPaddingRows, rulesOf, withExtra } from "./padding.js";
import { type PlacedWeights, placeWeights, preferredBackend, repeated } from "./place.js";
import { type Heads, Projections } from "./projections.js";

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
  checkAttention(attention, ["run", "apply", "prepare", "upload", "allocate"]);
  const read = reading("options", () => {
    const checked = readLayerOptions(options);
    tryRules(checked);
    return checked;
  });
  const preferred = await preferredBackend(attention, read);
  const placed = await placeWeights(attention, read, preferred);
  return new MultiHeadAttention(attention, read, placed);
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
      const projections = new Projections(this.#attention, this.#options, weights, owned);
      const heads = await projections.heads(call);
      const outputs = call.cache
        ? await this.#attendOverCache(call, heads, padding, options)
        : await this.#attend(call, heads, padding, owned, options);
      const { backend, output, ...others } = outputs;
      for (const t of [output, ...Object.values(others)]) owned.keep(t as Tensor);
      const mergedOutput = await mergedHeads(this.#attention, output, owned);
      const projected = await projections.linear(weights.output, mergedOutput);
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
    const cache = call.cache as NonNullable<LayerCall["cache"]>;
    const before = positionsOf(cache, call.batch);
    const attend = async (): Promise<Outputs> => {
      const stored = storedFor(cache, call, this.#options.rules);
      return this.#attention.run(await this.#overCache(call, query, stored), options);
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

  /** Inputs of a call over what a cache holds. */
  async #overCache(call: LayerCall, query: Tensor, stored: CachedInputs): Promise<AttentionInputs> {
    const cache = call.cache as NonNullable<LayerCall["cache"]>;
    const { mask, bias, programs, returns } = call;
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
      ...programs,
      returns,
      ...this.#options.rules,
      window: stored.window,
    };
  }

  /** Finds out whether a backend takes the call, before a rolling cache gives rows up for it. */
  async #tryOverCache(call: LayerCall, query: Tensor): Promise<void> {
    const cache = call.cache as NonNullable<LayerCall["cache"]>;
    let stored: CachedInputs;
    try {
      stored = storedFor(cache, call, this.#options.rules);
    } catch {
      // Rows that are gone already say nothing about the call after the append.
      return;
    }
    await this.#attention.prepare(await this.#overCache(call, query, stored));
  }
}

type Outputs = Awaited<ReturnType<Attention["run"]>>;

function pick({ bias, programs, returns }: LayerCall): Partial<AttentionInputs> {
  return { ...(bias && { bias }), ...programs, returns };
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
