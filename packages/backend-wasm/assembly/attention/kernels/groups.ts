/**
 * Keys or columns that a panel takes at once, at most: what leaves V8 without spills. 2 accumulators each,
 * 2 registers of query or weights, 1 of key or value and, unless multiply-adds are fused, 1 of product are
 * 15 of x64's 16, and the last is V8's own.
 */
// @ts-ignore: decorator
@inline
export const MOST: i32 = ASC_FEATURE_RELAXED_SIMD ? 6 : 5;

/**
 * n as groups of `MOST` and of one less, which are nearly as fast, where smaller ones are at half the
 * speed: 64 is 9 · 6 + 2 · 5.
 *
 * @returns how many groups of `MOST − 1`; 0 where it does not come out
 */
export function lesserGroups(n: i32): i32 {
  const rest = n % MOST;
  const groups = rest == 0 ? 0 : MOST - rest;
  return groups * (MOST - 1) <= n ? groups : 0;
}
