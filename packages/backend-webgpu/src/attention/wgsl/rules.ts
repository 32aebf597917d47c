import type { Fragment } from "../../wgsl/emit.js";
import { gatheredRulesFragment } from "./gathered.js";

/**
 * Which keys a query sees. \`rules\` has, for each batch, the number of keys that exist, the band
 * \`x ≤ j − i ≤ y\` that causal, window and the query's offset leave (clamped to ±2^29, which no pair
 * of indices reaches), and the offset; then for each query head its ALiBi slope, its sink and whether
 * it has one.
 */
const numberedRulesFragment: Fragment = {
  wgsl: `struct Batch {
  keys: i32,
  first: i32,
  last: i32,
  offset: i32,
}
fn batch_rules(b: u32) -> Batch {
  let r = rules[b];
  return Batch(r.x, r.y, r.z, r.w);
}
fn head_rules(h: u32) -> vec4<i32> {
  return rules[params.batches + h];
}
/** The key head that a query head reads: query heads of a group are neighbours. */
fn kv_head_of(query_head: u32) -> u32 {
  return query_head / params.group;
}
/** Keys that some of the queries \`first\` to \`last\` sees, within the dispatch's and the split's. */
fn visible_keys(batch: Batch, split: u32, first: i32, last: i32) -> vec2<i32> {
  let split_first = i32(params.firstKey + split * params.splitKeys);
  let split_end = min(i32(params.endKey), split_first + i32(params.splitKeys));
  let seen_first = max(split_first, first + batch.first);
  // Tiles start at multiples of the grain, so that they do not depend on which rows share them.
  let start = seen_first - seen_first % i32(params.keyGrain);
  let end = min(min(split_end, batch.keys), last + batch.last + 1);
  return vec2<i32>(start, max(start, end));
}`,
};

export function rulesFragment(gathered: boolean): Fragment {
  return gathered ? gatheredRulesFragment : numberedRulesFragment;
}

/** Tests by bits, which arithmetic that assumes no infinities does not remove. */
export const notFiniteFragment: Fragment = {
  wgsl: `fn not_finite(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7f800000u) == 0x7f800000u;
}
fn not_finite4(v: vec4<f32>) -> bool {
  return any((bitcast<vec4<u32>>(v) & vec4<u32>(0x7f800000u)) == vec4<u32>(0x7f800000u));
}`,
};

/**
 * Bound of |j − i| that stands for "no bound": lengths of 2^29 and more are refused.
 */
export const unbounded: number = 2 ** 29;
