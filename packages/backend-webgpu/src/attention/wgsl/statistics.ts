import type { Fragment } from "../../wgsl/emit.js";
import { lowestFragment, noKeyFragment, softExpFragment } from "../../wgsl/log-sum-exp.js";
import { rulesFragment } from "./rules.js";

/** Words that are stored for each row and part of the keys: its maximum and its sum. */
export const partWords = 2;

/**
 * The factor that ends a row's softmax. A row whose largest logit is not finite, because a product
 * overflowed float32, becomes NaN, also where the arithmetic assumes that there are no infinities.
 */
export const rowFactorFragment: Fragment = {
  wgsl: `fn row_factor(factor: f32, largest: f32, empty: bool) -> f32 {
  let finite = (bitcast<u32>(largest) & 0x7f800000u) != 0x7f800000u;
  let ended = select(factor, 0.0, empty);
  return bitcast<f32>(select(0x7fc00000u, bitcast<u32>(ended), finite));
}`,
};

/**
 * Stores a row's log-sum-exp; or, for a part of the keys, its maximum and its sum, since log(sum) is
 * lost beside a maximum of −3.4·10³⁸, a common bias of padding. −∞ is written as bits.
 */
export const storeStatisticsFragment: Fragment = {
  wgsl: `fn store_statistics(at: u32, largest: f32, sum: f32, empty: bool) {
  if ((params.flags & flag_partial) != 0u) {
    statistics[at] = select(bitcast<u32>(largest), 0xff800000u, empty);
    statistics[at + 1u] = bitcast<u32>(sum);
  } else {
    statistics[at] = select(bitcast<u32>(largest + log(sum)), 0xff800000u, empty);
  }
}`,
};

/**
 * A row's maximum over all `params.count` parts of the keys and its sink, and the weight of each part.
 * Kernels sum the weights themselves, in the order of the parts, so that each is computed once.
 */
export function mergedStatisticsFragment(gathered: boolean): Fragment {
  return {
    needs: [rulesFragment(gathered), noKeyFragment, lowestFragment, softExpFragment],
    wgsl: merged,
  };
}

const merged = `struct Statistics {
  largest: f32,
  /** The sink's weight, until the weights of the parts are added. */
  sum: f32,
  /** No key is seen. */
  empty: bool,
  has_sink: bool,
}
fn part_statistics(row: u32, part: u32) -> vec2<u32> {
  let at = params.partialStatisticsBase + ${partWords}u * (row * params.count + part);
  return vec2<u32>(partialStatistics[at], partialStatistics[at + 1u]);
}
/** The weight of a part; 0 where the row sees none of its keys. */
fn part_weight(row: u32, part: u32, largest: f32) -> f32 {
  let own = part_statistics(row, part);
  if (own.x == no_key) {
    return 0.0;
  }
  return soft_exp(bitcast<f32>(own.x) - largest) * bitcast<f32>(own.y);
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
  let sum = select(0.0, soft_exp(sink - largest), has_sink);
  return Statistics(largest, sum, empty, has_sink);
}`;
