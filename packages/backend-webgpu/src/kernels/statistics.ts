/** Words that are stored of a part of the keys: its maximum, its sum. */
export const partWords = 2;

/** The lowest float32, a row's maximum before it has seen a key: −∞ may not be written as a constant. */
export const lowestWgsl = "const lowest = -3.4028234e38;\n";

/**
 * What is stored of a row's softmax: its log-sum-exp; or of a part of the keys, its maximum and after
 * that its sum, since log(sum) is lost beside a maximum of −3.4·10³⁸, the bias of padding. −∞ is only
 * ever written, as bits.
 */
export const storeStatisticsWgsl = `fn store_statistics(at: u32, largest: f32, sum: f32, empty: bool) {
  if ((params.flags & flag_partial) != 0u) {
    statistics[at] = select(bitcast<u32>(largest), 0xff800000u, empty);
    statistics[at + 1u] = bitcast<u32>(sum);
  } else {
    statistics[at] = select(bitcast<u32>(largest + log(sum)), 0xff800000u, empty);
  }
}
`;

/**
 * A row's maximum over all `params.count` parts of the keys and its sink, and what each of them weighs.
 * The parts' weights are summed by whoever uses them, in their order, so that each is computed once.
 */
export const mergedStatisticsWgsl: string = `${lowestWgsl}/** −∞, which is never computed with. */
const no_key = 0xff800000u;

struct Statistics {
  largest: f32,
  /** Of the sink, until the parts' weights are added. */
  sum: f32,
  /** No key is seen. */
  empty: bool,
  has_sink: bool,
}
fn part_statistics(row: u32, part: u32) -> vec2<u32> {
  let at = params.partialStatisticsBase + ${partWords}u * (row * params.count + part);
  return vec2<u32>(partialStatistics[at], partialStatistics[at + 1u]);
}
/** What a part of the keys weighs; 0 where it has none. */
fn part_weight(row: u32, part: u32, largest: f32) -> f32 {
  let own = part_statistics(row, part);
  if (own.x == no_key) {
    return 0.0;
  }
  return exp(max(bitcast<f32>(own.x) - largest, -104.0)) * bitcast<f32>(own.y);
}
fn merged_maximum(row: u32, head: u32) -> Statistics {
  let rule = head_rules(head);
  let has_sink = (params.flags & flag_sinks) != 0u && rule.z != 0;
  let sink = bitcast<f32>(rule.y);
  var empty = true;
  var largest = select(lowest, sink, has_sink);
  for (var part = 0u; part < params.count; part++) {
    let bits = part_statistics(row, part).x;
    if (bits != no_key) {
      empty = false;
      largest = max(largest, bitcast<f32>(bits));
    }
  }
  let sum = select(0.0, exp(max(sink - largest, -104.0)), has_sink);
  return Statistics(largest, sum, empty, has_sink);
}
`;
