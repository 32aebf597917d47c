/**
 * Which keys a query sees. \`rules\` has, for each batch, the number of keys that exist, the band
 * \`x ≤ j − i ≤ y\` that causal, window and the query's offset leave (clamped to ±2^29, which no pair
 * of indices reaches), and the offset; then for each query head its ALiBi slope, its sink and whether
 * it has one.
 */
export const rulesWgsl = `struct Batch {
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
/** Keys that some of the queries \`first\` to \`last\` sees, within the dispatch's and the split's. */
fn visible_keys(batch: Batch, split: u32, first: i32, last: i32) -> vec2<i32> {
  let split_first = i32(params.firstKey + split * params.splitKeys);
  let split_end = min(i32(params.endKey), split_first + i32(params.splitKeys));
  let start = max(split_first, first + batch.first);
  let end = min(min(split_end, batch.keys), last + batch.last + 1);
  return vec2<i32>(start, max(start, end));
}
`;

/**
 * Bound of |j − i| that stands for "no bound": lengths of 2^29 and more are refused.
 */
export const unbounded: number = 2 ** 29;
