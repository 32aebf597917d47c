import {
  type Attention,
  type AttentionEvents,
  DeviceLostError,
  DisposedError,
  describeValue,
  type HeedError,
  InvalidInputError,
  isDeviceTensor,
  isHeedError,
  rotary,
  type Tensor,
} from "@heed/core";
import { checkNames, flag } from "@heed/core/options";
import type { AppendInputs, CacheInputs, InputsOptions } from "./inputs.js";
import { putInto } from "./memory/place.js";
import type { Rows } from "./memory/rows.js";
import { type CacheParts, fillRows, planCache } from "./open.js";
import type { CacheDType, CacheOptions, CacheRotary, CacheSizes } from "./options.js";
import { type AppendCall, readAppend, readEntries } from "./read-append.js";
import { PagedState } from "./state/paged.js";
import { type Chunk, chunkOf, type Placement, taken } from "./state/state.js";
import { Tasks } from "./tasks.js";
import { Writes } from "./writes.js";

/** Saving and loading: few applications do, and the rest need not download them. */
const saving = () => import("./saved.js");

const inputsNames: ReadonlySet<string> = new Set<keyof InputsOptions>([
  "queryLength",
  "window",
  "ownPositions",
]);

/**
 * Keys and values of the tokens so far, and nothing else: `attention.run({ query, ...cache.inputs() })`
 * computes. One cache serves one layer.
 *
 * Appends, `reorder` and `save` are done in the order in which they are called. All other methods need every
 * append and reorder before them awaited. A method that throws or rejects has changed nothing, but for an
 * append whose device failed while a rolling cache was written.
 */
export class Cache {
  readonly #sizes: CacheSizes;
  readonly #rotary: CacheParts["rotary"];
  readonly #state: CacheParts["state"];
  #rows: Rows;
  /** Rows of the latest append; null once tokens were taken back. */
  #chunk: Chunk | null = null;
  /** Appends, reorders and saves; an error that says that the device is gone ends the cache. */
  readonly #tasks = new Tasks((error) => {
    if (isHeedError(error, "device-lost")) this.#over ??= error;
  });
  readonly #writes: Writes;
  /** Why the cache is of no use any more. */
  #over: HeedError | null = null;
  /** The rows that are being written. */
  #placement: Placement | null = null;
  readonly #unsubscribe: () => void;

  /** Caches come from `createCache`, `fork` and `Cache.load`. */
  constructor(parts: CacheParts) {
    this.#sizes = parts.sizes;
    this.#rotary = parts.rotary;
    this.#state = parts.state;
    this.#rows = parts.rows;
    this.#writes = new Writes(this.#commit, this.#abandon);
    this.#unsubscribe = this.#watch();
  }

  /**
   * A cache from the bytes that {@link save} gave.
   *
   * @param options `backend`: name of the backend whose memory to use, as in `createCache`
   * @throws InvalidInputError (rejects) naming what is wrong with the bytes; what `createCache` throws
   */
  static async load(
    attention: Attention,
    bytes: Uint8Array,
    options: Pick<CacheOptions, "backend"> = {},
  ): Promise<Cache> {
    checkNames("options", options, new Set(["backend"]));
    const { readSaved } = await saving();
    const saved = readSaved(bytes);
    const plan = await planCache(attention, { ...saved.options, backend: options.backend });
    plan.state.restore(saved.state);
    const rows = await fillRows(plan.place, plan.sizes, saved.sides);
    return new Cache({ ...plan, rows });
  }

  get kind(): "static" | "rolling" | "paged" {
    return this.#sizes.kind;
  }

  get batch(): number {
    return this.#sizes.batch;
  }

  get kvHeads(): number {
    return this.#sizes.kvHeads;
  }

  get headDim(): number {
    return this.#sizes.headDim;
  }

  get valueDim(): number {
    return this.#sizes.valueDim;
  }

  /** Tokens that there is room for: of each batch entry, or of the whole pool. */
  get capacity(): number {
    return this.#sizes.capacity;
  }

  get dtype(): CacheDType {
    return this.#sizes.dtype;
  }

  /** Whether keys are rotated as they come in. */
  get rotates(): boolean {
    return this.#rotary !== null;
  }

  /** How keys are rotated as they come in, so that queries can be rotated likewise; null if they are not. */
  get rotary(): CacheRotary | null {
    return this.#rotary;
  }

  /** Name of the backend whose memory is used; null for host memory. */
  get backend(): string | null {
    return this.#rows.place.backend;
  }

  /** Bytes of the tensors that are held. Forks that share memory each count all of it. */
  get bytes(): number {
    return this.#rows.bytes;
  }

  /** Tokens seen, one number a batch entry. */
  get lengths(): readonly number[] {
    return Array.from(this.#state.lengths);
  }

  /** The position of the next token, one number a batch entry. */
  get positions(): readonly number[] {
    return this.lengths;
  }

  /** Tokens that {@link truncate} can take back, one number a batch entry. */
  get rewindable(): readonly number[] {
    return this.#state.rewindable();
  }

  /** The pool of a paged cache: its pages, and those that nobody uses. null for other kinds. */
  get pages(): { readonly count: number; readonly size: number; readonly free: number } | null {
    if (!(this.#state instanceof PagedState)) return null;
    const { count, size, free } = this.#state.pool;
    return { count, size, free };
  }

  /** Whether {@link dispose} was called. */
  get disposed(): boolean {
    return isHeedError(this.#over, "disposed");
  }

  /**
   * Stores the keys and values of the next tokens, in place, in time that depends on their number alone.
   * Lengths are copied at the call; tensors must not change until the promise settles.
   *
   * @throws InvalidInputError (rejects) naming `key`, `value` or `lengths`: for wrong sizes, dtypes and
   *   places, and for more tokens than there is room for
   * @throws DisposedError, DeviceLostError, OutOfMemoryError (rejects)
   */
  append(inputs: AppendInputs): Promise<void> {
    try {
      this.#checkAlive();
      const call = readAppend(inputs, this.#sizes, this.#rows.place);
      return this.#tasks.run(this.#append, call);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * The inputs of attention for queries at the end of the cache: by default the rows of the latest append.
   * They hold for the present state.
   *
   * @throws InvalidInputError naming the option at fault: `queryLength` also where a rolling cache no longer
   *   has what the rows see
   * @throws DisposedError, DeviceLostError
   */
  inputs(options: InputsOptions = {}): CacheInputs {
    this.#checkIdle();
    checkNames("options", options, inputsNames);
    const { queryLength = this.#chunk?.n ?? 1, window, ownPositions } = options;
    checkLength("queryLength", queryLength);
    if (window !== undefined) checkLength("window", window);
    const own = flag("ownPositions", ownPositions);
    const chunk = this.#chunk?.n === queryLength ? this.#chunk : null;
    const state = this.#state.inputs(queryLength, chunk, window, own);
    return Object.assign(state, this.#rows.inputs);
  }

  /**
   * Takes tokens back, for instance rejected drafts.
   *
   * @param lengths tokens that are left, one number a batch entry or one for all
   * @throws InvalidInputError naming `lengths`, also where a rolling cache no longer has what the next query
   *   would see; {@link rewindable} says how far back is possible
   * @throws DisposedError, DeviceLostError
   */
  truncate(lengths: number | Int32Array | readonly number[]): void {
    this.#checkIdle();
    const given = typeof lengths === "number" ? this.lengths.map(() => lengths) : lengths;
    const now = this.#state.lengths;
    this.#state.truncate(readEntries("lengths", given, this.#sizes.batch, (b) => now[b] as number));
    this.#chunk = null;
  }

  /**
   * Entry b becomes a copy of what entry `indices[b]` was, as beam search needs it. A paged cache shares the
   * pages. A static or rolling one copies them: on a device, the promise has to be awaited.
   *
   * @throws InvalidInputError naming `indices`, DisposedError, DeviceLostError
   */
  reorder(indices: Int32Array | readonly number[]): Promise<void> {
    this.#checkAlive();
    const { batch, kind } = this.#sizes;
    const order = readEntries("indices", indices, batch, () => batch - 1);
    const commit = (): undefined => {
      const chunk = this.#chunk;
      this.#state.reorder(order);
      if (!chunk?.starts) return;
      const { n, counts, starts } = chunk;
      this.#chunk = chunkOf({ n, counts: taken(counts, order) }, taken(starts, order));
    };
    const same = order.every((index, b) => index === b);
    return this.#tasks.run(() => {
      this.#checkAlive();
      if (same) return undefined;
      if (kind === "paged") return commit();
      const moved = this.#rows.clone(order);
      const replace = (rows: Rows): undefined => {
        this.#replace(rows);
        return commit();
      };
      return moved instanceof Promise ? moved.then(replace) : replace(moved);
    });
  }

  /**
   * Another cache with the same tokens, which goes its own way. It shares the memory: pages until one side
   * writes into them, static and rolling caches until one side's next append, which copies. Each has to be
   * disposed.
   *
   * @throws DisposedError, DeviceLostError
   */
  fork(): Cache {
    this.#checkIdle();
    this.#rows.share();
    const fork = new Cache({
      sizes: this.#sizes,
      rotary: this.#rotary,
      rows: this.#rows,
      state: this.#state.fork(),
    });
    fork.#chunk = this.#chunk;
    return fork;
  }

  /**
   * Takes everything back; the memory is kept.
   *
   * @throws DisposedError, DeviceLostError
   */
  clear(): void {
    this.#checkIdle();
    this.#state.clear();
    this.#chunk = null;
  }

  /**
   * The cache as a safetensors file, which {@link Cache.load} reads on any backend. Rows without a token are
   * left out.
   *
   * @throws DisposedError, DeviceLostError (rejects)
   */
  async save(): Promise<Uint8Array> {
    this.#checkAlive();
    let bytes: Uint8Array | undefined;
    await this.#tasks.run(async () => {
      this.#checkAlive();
      const { saveCache } = await saving();
      bytes = await saveCache(this.#sizes, this.#rotary, this.#state, await this.#rows.read());
    });
    return bytes as Uint8Array;
  }

  /** Gives the memory back, once what is under way has ended. Calling it twice is harmless. */
  dispose(): void {
    if (this.disposed) return;
    this.#over = new DisposedError("cache");
    this.#unsubscribe();
    void this.#tasks.run(() => {
      this.#state.clear();
      this.#rows.leave();
      return undefined;
    });
  }

  /** @returns undefined if it is done by then: in host memory, without a rotation */
  readonly #append = (call: AppendCall): Promise<void> | undefined => {
    this.#checkAlive();
    if (call.n === 0) return undefined;
    const { backend } = this.#rows.place;
    if (this.#rotary !== null || (backend !== null && this.#mustCopy))
      return this.#appendLater(call);
    if (this.#mustCopy) this.#replace(this.#rows.clone(this.#entries()) as Rows);
    return this.#write(call, call.key, call.value);
  };

  /** Rotates keys and copies shared rows before anything changes. */
  async #appendLater({ key, value, ...call }: AppendCall): Promise<void> {
    const owned: Tensor[] = [];
    try {
      if (this.#mustCopy) this.#replace(await this.#rows.clone(this.#entries()));
      const turned = this.#rotary === null ? key : await this.#turn(key, call.counts, owned);
      await this.#write({ key, value, ...call }, turned, value);
    } finally {
      for (const t of owned) if (isDeviceTensor(t)) t.dispose();
    }
  }

  #write(call: AppendCall, key: Tensor, value: Tensor): Promise<void> | undefined {
    const placement = this.#state.place(call.counts, call.n);
    this.#placement = placement;
    try {
      const copied = this.#rows.copyPages(placement.copies);
      if (copied !== undefined) return this.#writeAfter(copied, placement, key, value);
      return this.#writeRows(placement, key, value);
    } catch (error) {
      return this.#abandon(error);
    }
  }

  #writeAfter(
    copied: Promise<void>,
    placement: Placement,
    key: Tensor,
    value: Tensor,
  ): Promise<void> {
    return copied.then(() => this.#writeRows(placement, key, value), this.#abandon);
  }

  #writeRows({ slots }: Placement, key: Tensor, value: Tensor): Promise<void> | undefined {
    const keys = this.#rows.write("key", key, slots);
    const values = this.#rows.write("value", value, slots);
    if (keys && values) return this.#writes.wait(keys, values);
    return this.#commit();
  }

  /** Gives the rows up that were to be written. */
  readonly #abandon = (error: unknown): never => {
    this.#state.abandon(this.#placement as Placement);
    throw error;
  };

  /** Counts the rows that were written. */
  readonly #commit = (): undefined => {
    const placement = this.#placement as Placement;
    this.#chunk = chunkOf(placement, this.#state.lengths);
    this.#state.commit(placement);
  };

  /** Keys at their positions; where the cache is on a device, there. */
  async #turn(key: Tensor, counts: Int32Array, owned: Tensor[]): Promise<Tensor> {
    const { place } = this.#rows;
    let input = key;
    if (!isDeviceTensor(key) && place.backend !== null) {
      input = await putInto(place, key);
      owned.push(input);
    }
    const n = key.shape[2] as number;
    const positions = new Int32Array(counts.length * n);
    for (let b = 0; b < counts.length; b++) {
      const start = this.#state.lengths[b] as number;
      // Padding gets the position of a token, since tables of cosines may end there.
      const last = Math.max(0, (counts[b] as number) - 1);
      for (let i = 0; i < n; i++) positions[b * n + i] = start + Math.min(i, last);
    }
    const { output } = await place.attention.apply(rotary, { input, positions, ...this.#rotary });
    owned.push(output);
    return output;
  }

  /** Whether another cache shares rows that this one is going to write. Pages are copied one by one. */
  get #mustCopy(): boolean {
    return this.#sizes.kind !== "paged" && this.#rows.shared;
  }

  #replace(rows: Rows): void {
    this.#rows.leave();
    this.#rows = rows;
  }

  #entries(): Int32Array {
    return Int32Array.from({ length: this.#sizes.batch }, (_, b) => b);
  }

  /** Listens for the loss of the backend, without keeping the cache alive. */
  #watch(): () => void {
    const { attention, backend } = this.#rows.place;
    if (backend === null || typeof attention.on !== "function") return () => {};
    const cache = new WeakRef(this);
    const lost = (detail: AttentionEvents["lost"]): void => {
      const alive = cache.deref();
      if (detail.backend === backend && alive !== undefined) alive.#lose(detail.error);
    };
    return attention.on("lost", lost);
  }

  #lose(cause: unknown): void {
    const message = "the cache is gone with its device; another one has to be filled anew";
    this.#over ??= new DeviceLostError(this.backend ?? "host", message, { cause });
  }

  #checkAlive(): void {
    if (this.#over !== null) throw this.#over;
  }

  /** @throws InvalidInputError while something is under way that was not awaited */
  #checkIdle(): void {
    this.#checkAlive();
    if (this.#tasks.idle) return;
    const expected = "every append, reorder and save before this call awaited";
    throw new InvalidInputError("cache", expected, "one that is under way");
  }
}

/** @throws InvalidInputError unless the value is an integer ≥ 0 */
function checkLength(argument: string, value: unknown): void {
  if (Number.isInteger(value) && (value as number) >= 0) return;
  throw new InvalidInputError(argument, "an integer ≥ 0", describeValue(value));
}
