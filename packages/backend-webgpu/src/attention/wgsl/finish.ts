import type { Fragment } from "../../wgsl/emit.js";
import { lowestFragment, softExpFragment } from "../../wgsl/log-sum-exp.js";
import { logitsRowsFragment } from "./logits.js";
import type { Reads } from "./reads.js";
import { rowFactorFragment, storeStatisticsFragment } from "./statistics.js";
import { timesWeightFactor } from "./weight-factor.js";

/** The end of four rows' softmax: the sink joins, and the log-sum-exp is stored. */
export function finishFragment(reads: Pick<Reads, "element" | "gathered" | "programs">): Fragment {
  return {
    needs: [
      logitsRowsFragment(reads),
      lowestFragment,
      softExpFragment,
      rowFactorFragment,
      storeStatisticsFragment,
    ],
    wgsl: finish(timesWeightFactor("denominator", reads)),
  };
}

const finish = (
  divisor: string,
): string => `/** Stores log-sum-exps. @returns the factors of the outputs: 0 for empty rows */
fn finish_rows(rows: Rows, b: u32, split: u32, seen_max: vec4<f32>, sum: vec4<f32>, store: bool) -> vec4<f32> {
  var factor = vec4<f32>();
  for (var r = 0; r < 4; r++) {
    let h = rows.head[r];
    let rule = head_rules(h);
    let sink = bitcast<f32>(rule.y);
    let has_sink = (params.flags & flag_sinks) != 0u && rule.z != 0;
    // The largest visible key weighs 1 before it is divided.
    let empty = sum[r] == 0.0;
    var largest = select(seen_max[r], lowest, empty);
    var denominator = sum[r];
    var decay = 1.0;
    if (has_sink) {
      largest = select(max(seen_max[r], sink), sink, empty);
      decay = soft_exp(seen_max[r] - largest);
      denominator = sum[r] * decay + soft_exp(sink - largest);
    }
    let divisor = ${divisor};
    factor[r] = row_factor(decay / divisor, largest, empty);
    if (store && rows.exists[r] && (params.flags & flag_logSumExp) != 0u) {
      let row = (b * params.queryHeads + h) * params.queryLength + rows.index[r];
      store_statistics(
        params.statisticsBase + row * params.statisticsRow + split * params.statisticsSplit,
        largest, denominator, empty && !has_sink);
    }
  }
  return factor;
}`;
