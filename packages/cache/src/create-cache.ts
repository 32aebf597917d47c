import type { Attention } from "@heed/core";
import { Cache } from "./cache.js";
import { openCache } from "./open.js";
import type { CacheOptions } from "./options.js";

/**
 * An empty cache of keys and values, in the memory of the backend that will run the calls, or in host memory
 * where that backend has none. It belongs to the caller, who disposes it.
 *
 * @throws InvalidInputError (rejects) naming the option at fault
 * @throws UnsupportedError (rejects) if no backend computes on such a cache
 * @throws OutOfMemoryError (rejects)
 */
export async function createCache(attention: Attention, options: CacheOptions): Promise<Cache> {
  return new Cache(await openCache(attention, options));
}
