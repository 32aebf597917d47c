import { emitKernel } from "../../wgsl/emit.js";
import type { Binding, Kernel, Storage } from "../../wgsl/kernel.js";
import { linearFragment, linearThreads } from "../../wgsl/linear.js";
import { attentionParams, flagsFragment } from "../params.js";
import { mergedStatisticsFragment, rowFactorFragment } from "../wgsl/statistics.js";
import { attentionKernelName } from "./name.js";

/**
 * Attention over all keys from attention over parts of them: outputs weighted by
 * sum_p · exp(max_p − max). A sink joins here, once. One invocation for each element of the output;
 * the parts are added in their order, so that the same inputs give the same bits.
 *
 * @param output storage of the output
 */
export function mergeKernel(output: Storage): Kernel {
  const bindings: readonly Binding[] = [
    { name: "rules", element: "vec4<i32>", access: "read" },
    { name: "partials", element: "f32", access: "read" },
    { name: "partialStatistics", element: "u32", access: "read" },
    { name: "output", element: output, access: "read_write" },
    { name: "statistics", element: "u32", access: "read_write" },
  ];
  const body = `@compute @workgroup_size(${linearThreads})
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) counts: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  // Elements of the dispatch are those of a range of rows.
  let element = element_number(workgroup, counts, thread);
  let row = params.firstRow + element / params.valueDim;
  if (row >= params.endRow) {
    return;
  }
  let column = element % params.valueDim;
  var statistic = merged_maximum(row, (row / params.queryLength) % params.queryHeads);
  var sum = 0.0;
  for (var part = 0u; part < params.count; part++) {
    let weight = part_weight(row, part, statistic.largest);
    statistic.sum += weight;
    if (weight > 0.0) {
      sum += weight * params.weightFactor * partials[params.partialsBase + row * params.partialsRow + part * params.valueDim + column];
    }
  }
  output[params.outputBase + row * params.valueDim + column] =
    ${output}(row_factor(sum / (statistic.sum * params.weightFactor), statistic.largest, statistic.empty));
  if (column == 0u && (params.flags & flag_logSumExp) != 0u) {
    statistics[params.statisticsBase + row] = select(
      bitcast<u32>(statistic.largest + log(statistic.sum)), no_key, statistic.empty && !statistic.has_sink);
  }
}
`;
  return emitKernel({
    name: attentionKernelName("merge", output),
    features: [output === "f16" && "f16"],
    params: attentionParams,
    bindings,
    fragments: [flagsFragment, linearFragment, mergedStatisticsFragment(false), rowFactorFragment],
    body,
  });
}
