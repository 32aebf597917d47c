/**
 * Key-value caches for attention: static, rolling and paged, in float32, float16 and int8, in the memory of
 * the backend that computes.
 *
 * @module
 */
export { Cache } from "./cache.js";
export { createCache } from "./create-cache.js";
export type { AppendInputs, CacheInputs, InputsOptions } from "./inputs.js";
export type { CacheDType, CacheOptions, CacheRotary } from "./options.js";
