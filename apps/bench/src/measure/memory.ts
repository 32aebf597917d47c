import type { BackendInfo } from "@heed/core";

/** How much memory something took at its peak, beyond what was there before. */
export interface MemoryGrowth {
  /** Null where that cannot be told. */
  readonly bytes: number | null;
  /** Which memory was watched, or why none could be. */
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
  /** Bytes that can still be had; left out, or null, where that cannot be told. */
  free?(): number | null;
}

/** A meter for environments where memory cannot be watched: it only reports why. */
export function noMemoryMeter(why: string, free?: () => number | null): MemoryMeter {
  return {
    start: () => () => ({ bytes: null, of: `not measurable here: ${why}` }),
    ...(free && { free }),
  };
}
