import type { BackendInfo } from "@heed/core";

/** How much memory something took at its peak, beyond what was there before. */
export interface MemoryGrowth {
  /** Null where that cannot be told. */
  readonly bytes: number | null;
  /** What was watched, or why nothing could be. */
  readonly of: string;
}

/** Watches how much memory is held. */
export interface MemoryMeter {
  /**
   * Begins to watch.
   *
   * @param info of the contender that is about to compute
   * @returns a function that ends it and gives the growth at its peak since
   */
  start(info: BackendInfo): () => MemoryGrowth;
}

/** Where nothing can be watched. */
export function noMemoryMeter(why: string): MemoryMeter {
  return { start: () => () => ({ bytes: null, of: `not measurable here: ${why}` }) };
}
