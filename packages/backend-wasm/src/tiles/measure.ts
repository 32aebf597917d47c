import type { WasmMemory } from "../memory/memory.js";
import type { Kernels } from "../module.js";
import { type TileVariant, tileVariants, variantNumbers } from "./variants.js";

/** Multiply-adds of each variant, in billions a second. */
export type TileRates = Readonly<Record<TileVariant, number>>;

/** Milliseconds for which a variant is timed, at least, in one round. */
const leastMs = 0.25;

/** Elements of a key in the sample. */
const sampleSize = 64;

/**
 * Times each variant once, on a tile of zeros as long as tiles are at head size 64: about a millisecond in all where the
 * clock is fine, and up to five where it ticks once a millisecond.
 *
 * @throws WasmOutOfMemoryError
 */
export function timeTiles(memory: WasmMemory, kernels: Kernels): TileRates {
  const keys = Math.round(kernels.tileElements.value / sampleSize);
  const bytes = kernels.sampleBytes(keys);
  const work = memory.allocate(bytes);
  try {
    memory.words.fill(0, work / 4, (work + bytes) / 4);
    const rates = { splat: 0, spread: 0, "spread-by-two": 0 };
    for (const variant of tileVariants) {
      const ms = timeOf(() => kernels.sampleTile(variantNumbers[variant], keys, work));
      rates[variant] = kernels.sampleWork(keys) / ms / 1e6;
    }
    return rates;
  } finally {
    memory.free(work);
  }
}

/** Milliseconds that one call takes: from one tick of the clock to another. */
function timeOf(call: () => void): number {
  const before = performance.now();
  let start = before;
  while (start === before) {
    call();
    start = performance.now();
  }
  let end = start;
  let calls = 0;
  while (end - start < leastMs) {
    call();
    calls++;
    end = performance.now();
  }
  return (end - start) / calls;
}
