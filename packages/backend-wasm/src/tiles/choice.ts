import type { WasmMemory } from "../memory/memory.js";
import type { Kernels, SimdBuild } from "../module.js";
import { type TileRates, timeTiles } from "./measure.js";
import { readRates, type VariantStore, writeRates } from "./store.js";
import { type TileVariant, tileVariants } from "./variants.js";

/** Rounds in which all variants are timed: at least so many, since engines compile functions again that are busy. */
const leastRounds = 4;
const mostRounds = 12;
/** Another round is needed while one of the rates still rises by more than this factor. */
const settledGain = 1.05;
/** A variant has to be so much faster than the first one to be preferred. */
const leastGain = 1.05;

/** The variant that was found to be the fastest, and the rates that were measured. */
export interface Measured {
  readonly variant: TileVariant;
  readonly rates: TileRates;
  /** Whether an earlier process measured them. */
  readonly remembered: boolean;
}

/** Results of a process for each build: the processor and the engine are the same. */
export type KnownVariants = Map<SimdBuild, Measured>;

const ofProcess: KnownVariants = new Map();

/**
 * The variant by which panels read tiles. The variants are timed at the beginning of the first long calls, one round in
 * each of them, until their rates no longer rise. The results of calls do not depend on the variant.
 */
export class TileChoice {
  readonly #memory: WasmMemory;
  readonly #kernels: Kernels;
  readonly #build: SimdBuild | null;
  readonly #asked: TileVariant | undefined;
  readonly #store: VariantStore | null;
  readonly #known: KnownVariants;
  #best: TileRates | null = null;
  #rounds = 0;
  #measured: Measured | null;

  /**
   * @param build null for a module that was given
   * @param asked a variant that was asked for: nothing is measured then
   * @param store for later processes
   * @param known results that others in this process share
   */
  constructor(
    memory: WasmMemory,
    kernels: Kernels,
    build: SimdBuild | null,
    asked: TileVariant | undefined,
    store: VariantStore | null = null,
    known: KnownVariants = ofProcess,
  ) {
    this.#memory = memory;
    this.#kernels = kernels;
    this.#build = build;
    this.#asked = asked;
    this.#store = store;
    this.#known = known;
    this.#measured = (build && known.get(build)) ?? null;
  }

  /** The variant that calls use now. */
  get variant(): TileVariant {
    return this.#asked ?? this.#measured?.variant ?? tileVariants[0];
  }

  /** A sentence for `info.notes`: the variant, why it is used, and what was measured. */
  get note(): string {
    const tiles = `tiles: ${this.variant}`;
    if (this.#asked) return `${tiles}, asked for`;
    const rates = this.#measured?.rates;
    if (!rates) return `${tiles}, until the first long calls have measured the variants`;
    const texts = tileVariants.map((variant) => `${variant} ${(2 * rates[variant]).toFixed(1)}`);
    const when = this.#measured?.remembered ? "measured earlier" : "measured";
    return `${tiles}, ${when} in GFLOP/s: ${texts.join(", ")}`;
  }

  /** Reads what an earlier process measured; calls before it is read measure, as without it. Never rejects. */
  async restore(): Promise<void> {
    if (this.#store === null || this.#build === null || this.#asked || this.#measured) return;
    const rates = await readRates(this.#store, this.#build);
    if (rates === null || this.#measured || this.#known.has(this.#build)) return;
    this.#measured = { variant: fastest(rates), rates, remembered: true };
    this.#known.set(this.#build, this.#measured);
  }

  /** Times the variants once more, unless they are known well enough. */
  measure(): void {
    if (this.#asked || this.#measured) return;
    const shared = this.#build && this.#known.get(this.#build);
    if (shared) {
      this.#measured = shared;
      return;
    }
    const rates = timeTiles(this.#memory, this.#kernels);
    const best = this.#best;
    const rises = tileVariants.some((v) => rates[v] > settledGain * (best?.[v] ?? 0));
    this.#best = best ? higher(best, rates) : rates;
    this.#rounds++;
    if (this.#rounds < leastRounds || (rises && this.#rounds < mostRounds)) return;
    this.#measured = { variant: fastest(this.#best), rates: this.#best, remembered: false };
    if (this.#build === null) return;
    this.#known.set(this.#build, this.#measured);
    if (this.#store) void writeRates(this.#store, this.#build, this.#best);
  }
}

function higher(a: TileRates, b: TileRates): TileRates {
  const rates = { ...a };
  for (const variant of tileVariants) rates[variant] = Math.max(a[variant], b[variant]);
  return rates;
}

/** The fastest variant; the first one if none is faster by a margin. */
export function fastest(rates: TileRates): TileVariant {
  const [first] = tileVariants;
  const best = tileVariants.reduce((a, b) => (rates[b] > rates[a] ? b : a));
  return rates[best] > leastGain * rates[first] ? best : first;
}
