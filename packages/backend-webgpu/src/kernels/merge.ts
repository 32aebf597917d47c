import { paramsWgsl } from "../params.js";
import {
  type Binding,
  declareBindings,
  enableFeatures,
  type Kernel,
  type Storage,
} from "./kernel.js";
import { linearThreads, linearWgsl } from "./linear.js";
import { rulesWgsl } from "./rules.js";

/**
 * Attention over all keys from attention over parts of them (see `mergePartials` of core): outputs
 * weighted by exp(lse_p − lse). A sink joins here, once. One invocation for each element of the output;
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
  const code = `${enableFeatures([output === "f16" && "f16"])}${paramsWgsl}
${declareBindings(bindings)}
${linearWgsl}
${rulesWgsl}
const lowest = -3.4028234e38;
/** −∞, which is never computed with. */
const no_key = 0xff800000u;

@compute @workgroup_size(${linearThreads})
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
  let rule = head_rules((row / params.queryLength) % params.queryHeads);
  let has_sink = (params.flags & flag_sinks) != 0u && rule.z != 0;
  let sink = bitcast<f32>(rule.y);
  var empty = true;
  var largest = select(lowest, sink, has_sink);
  for (var part = 0u; part < params.count; part++) {
    let bits = partialStatistics[params.partialStatisticsBase + row * params.count + part];
    if (bits != no_key) {
      empty = false;
      largest = max(largest, bitcast<f32>(bits));
    }
  }
  var denominator = select(0.0, exp(max(sink - largest, -104.0)), has_sink);
  var sum = 0.0;
  for (var part = 0u; part < params.count; part++) {
    let bits = partialStatistics[params.partialStatisticsBase + row * params.count + part];
    if (bits != no_key) {
      let weight = exp(max(bitcast<f32>(bits) - largest, -104.0));
      denominator += weight;
      if (weight > 0.0) {
        sum += weight * partials[params.partialsBase + row * params.partialsRow + part * params.valueDim + column];
      }
    }
  }
  output[params.outputBase + row * params.valueDim + column] = ${output}(select(sum / denominator, 0.0, empty));
  if (column == 0u && (params.flags & flag_logSumExp) != 0u) {
    statistics[params.statisticsBase + row] = select(
      bitcast<u32>(largest + log(denominator)), no_key, empty && !has_sink);
  }
}
`;
  return { name: `merge-${output}`, code, bindings };
}
