import type { WasmMemory } from "../memory/memory.js";
import type { Kernels, SimdBuild } from "../module.js";
import { type TileRates, timeTiles } from "./measure.js";
import { readRates, type VariantStore, writeRates } from "./store.js";
import { type TileVariant, tileVariants } from "./variants.js";

/**
 * Rounds in succession without a higher rate, after which rates are known: engines compile functions again that are busy,
 * and where other work runs, the faster code may come late.
 */
const settledRounds = 3;
const mostRounds = 16;
/** A rate is higher by more than this factor, or the same. */
const settledGain = 1.05;
/** Multiply-adds of a call that is long beside a round before it: some milliseconds. */
const longWork = 5e7;
/** Multiply-adds of shorter calls together, after which a round comes before one of them. */
const roundWork = 2e8;
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
 * each of them, or now and then between shorter ones, until their rates no longer rise. The results of calls do not depend
 * on the variant.
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
  /** Rounds since a rate was higher than before. */
  #settled = 0;
  /** Multiply-adds since the last round. */
  #work = 0;
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
    if (!rates) return `${tiles}, until the first calls have measured the variants`;
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

  /** Times the variants before a call, if it is long or others came before it. */
  before(multiplyAdds: number): void {
    if (this.#asked || this.#measured) return;
    this.#work += multiplyAdds;
    if (multiplyAdds < longWork && this.#work < roundWork) return;
    this.#work = 0;
    this.measure();
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
    this.#settled = rises ? 0 : this.#settled + 1;
    if (this.#settled < settledRounds && this.#rounds < mostRounds) return;
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
