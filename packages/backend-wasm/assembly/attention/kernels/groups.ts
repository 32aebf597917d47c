/**
 * Keys or columns that a panel takes at once, at most: what leaves V8 without spills. 2 accumulators each,
 * 2 registers of query or weights, 1 of key or value and, unless multiply-adds are fused, 1 of product are
 * 15 of x64's 16, and the last is V8's own.
 */
// @ts-ignore: decorator
@inline
export const MOST: i32 = ASC_FEATURE_RELAXED_SIMD ? 6 : 5;

/** Keys or columns at once that still keep the multiply-adds busy, the least of them. */
// @ts-ignore: decorator
@inline
export const LEAST: i32 = 4;

/**
 * n as groups of `MOST` and of one less, which are nearly as fast: 64 is 9 · 6 + 2 · 5.
 *
 * @returns how many groups of `MOST − 1`; 0 where it does not come out
 */
export function lesserGroups(n: i32): i32 {
  const rest = n % MOST;
  const groups = rest == 0 ? 0 : MOST - rest;
  return groups * (MOST - 1) <= n ? groups : 0;
}

/**
 * Whether to take another group of `MOST` of the n that are left: not if they are two groups of `LEAST`, the
 * second of which may go back over some of the first.
 */
// @ts-ignore: decorator
@inline
export function takesMost(n: i32): bool {
  return n >= MOST && n != MOST + 1 && n != MOST + 2;
}
