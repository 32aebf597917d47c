import { emitKernel, repeat } from "../../wgsl/emit.js";
import type { Kernel, Storage } from "../../wgsl/kernel.js";
import { linearFragment, linearThreads } from "../../wgsl/linear.js";
import { lowestFragment, softExpFragment } from "../../wgsl/log-sum-exp.js";
import { flagsFragment } from "../params.js";
import { programText } from "../programs/kernel-text.js";
import { mapFragment } from "../programs/map.js";
import { forwardBindings } from "../wgsl/forward.js";
import { gridFragment } from "../wgsl/grid.js";
import { logitsFragment } from "../wgsl/logits.js";
import {
  headAddress,
  keysInFloat16,
  loadElement,
  paramsFor,
  plainReads,
  type Reads,
  readsFragments,
  readVariants,
} from "../wgsl/reads.js";
import { rulesFragment } from "../wgsl/rules.js";
import { rowFactorFragment, storeStatisticsFragment } from "../wgsl/statistics.js";
import { timesWeightFactor } from "../wgsl/weight-factor.js";
import { attentionKernelName } from "./name.js";

/** Value columns of an invocation, and keys that it works on at once. */
export const rowColumns = 8;
export const rowKeys = 4;

export interface RowShape {
  readonly storage: Storage;
  readonly bias: Storage;
  /** Element type of the output: f32 for a part of the keys that is merged later. */
  readonly output: Storage;
  /** Left out: keys and values are of the query's type and in no list. */
  readonly reads?: Reads;
}

/**
 * One invocation for each row and eight value columns of it, which reads everything from storage,
 * four keys at a time. For problems in which a tile would be mostly empty: few keys, or few rows of
 * many heads.
 */
export function rowKernel({
  storage,
  bias,
  output,
  reads = plainReads(storage),
}: RowShape): Kernel {
  const { gathered } = reads;
  const scaled = reads.element === "i8";
  const bindings = forwardBindings({ query: storage, bias, output, reads });
  const f16 = storage === "f16" || bias === "f16" || output === "f16" || keysInFloat16(reads);
  const load = (from: "key" | "value", at: string): string =>
    `vec4<f32>(${["x", "y", "z", "w"].map((c) => loadElement(from, at.replace("#", c), reads)).join(", ")})`;
  const forKeys = (text: (c: string) => string): string =>
    ["x", "y", "z", "w"].map(text).join(", ");
  const own = programText(reads.programs);
  const numbered = `  let rows = params.endRow - params.firstRow;
  let i = params.firstRow + rest % rows;
  rest /= rows;
  let split = rest % params.splits;
  rest /= params.splits;
  let h = params.firstHead + rest % params.heads;
  let b = params.firstBatch + rest / params.heads;
  if (b >= params.endBatch) {
    return;
  }
  let batch = batch_rules(b);
${own.start("b")}  let keys = visible_keys(batch, split, i32(i), i32(i));
  let row = Rows(vec4<u32>(i), vec4<u32>(h), vec4<bool>(true)${own.values("row_values(vec4<i32>(i32(i) + program_offset), vec4<i32>(i32(i)), vec4<u32>(h))")});
${own.map("b, h, i")}  let g = kv_head_of(h);
`;
  // An item is a query, of all heads of a group.
  const listed = `  let item = rest % params.rowTiles;
  rest /= params.rowTiles;
  let split = rest % params.splits;
  let h = params.firstHead * params.stack + rest / params.splits;
  let exists = h < (params.firstHead + params.heads) * params.stack;
  let block = item_block(exists, item, h / params.stack, split, 0u);
  if (!block.exists) {
    return;
  }
  let b = block.batch;
  let batch = batch_rules(block.sequence);
${own.start("block.sequence")}  let keys = split_keys(block, split);
  let own = rows_of(block, batch, block.first_row + h % params.stack);
  let row = Rows(vec4<u32>(own.index.x), vec4<u32>(h), vec4<bool>(true), vec4<i32>(own.position.x)${own.values("first_values(own.values)")});
  let i = own.index.x;
${own.map("block.item, block.head")}  let g = kv_head_of(h);
`;
  const body = `@compute @workgroup_size(${linearThreads})
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) counts: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  // Slices of a row are neighbours, then rows, splits, heads and batches.
  var rest = element_number(workgroup, counts, thread);
  let first_column = (rest % params.slices) * ${rowColumns}u;
  rest /= params.slices;
${gathered ? listed : numbered}  let query_at = params.queryBase + b * params.queryBatch + h * params.queryHead + i * params.queryRow;
  let key_at = ${headAddress("key", reads).replace("kv_head", "g")};
  let value_at = ${headAddress("value", reads).replace("kv_head", "g")};
${repeat(2, (q) => `  let column${q} = min(vec4<u32>(first_column + ${4 * q}u) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.valueDim - 1u)) * params.valueColumn;`)}
  var largest = lowest;
  var sum = 0.0;
${repeat(2, (q) => `  var o${q} = vec4<f32>();`)}
  for (var first = keys.x; first < keys.y; first += 4) {
${own.visit("first", "    ")}${
  gathered
    ? `    if (tile_visibility(batch, block.span, first, min(4, keys.y - first)) == tile_hidden) {
      continue;
    }
`
    : ""
}    // Past the last key, the last one is read again and hidden.
    let j = vec4<i32>(first) + vec4<i32>(0, 1, 2, 3);
    let readable = vec4<u32>(min(j, vec4<i32>(keys.y - 1)));
${
  gathered
    ? `    var places = array<vec2<u32>, 4>(${forKeys((c) => `place_of(batch, readable.${c})`)});
`
    : ""
}    let key_rows = ${
    gathered
      ? `vec4<u32>(${[0, 1, 2, 3].map((k) => `key_row(key_at, places[${k}])`).join(", ")})`
      : "vec4<u32>(key_at) + readable * params.keyRow"
  };
    var s = vec4<f32>();
    for (var d = 0u; d < params.headDim; d++) {
      let at = key_rows + d * params.keyColumn;
      s += f32(query[query_at + d * params.queryColumn])
        * ${load("key", "at.#")};
    }
    s *= params.scale;
${scaled ? `    s *= vec4<f32>(${[0, 1, 2, 3].map((k) => `key_scale(places[${k}], g)`).join(", ")});\n` : ""}    let logits = bias_and_visibility(cap4(s), batch, b, row, readable);
    let visible = logits.visible & (j < vec4<i32>(keys.y));
    let seen = select(vec4<f32>(lowest), logits.s, visible);
    let before = largest;
    largest = max(largest, max(max(seen.x, seen.y), max(seen.z, seen.w)));
    let decay = soft_exp(before - largest);
    let weight = select(vec4<f32>(), soft_exp4(logits.s - largest), visible);
    sum = sum * decay + weight.x + weight.y + weight.z + weight.w;
    let factors = ${timesWeightFactor("weight", reads)};
${repeat(2, (q) => `    o${q} *= decay;`)}
    for (var k = 0; k < 4; k++) {
      // A row that does not see the key must not see its NaN either.
      if (weight[k] > 0.0) {
        let at = ${gathered ? "value_row(value_at, places[k])" : "value_at + readable[k] * params.valueRow"};
${scaled ? "        let scaled = factors[k] * value_scale(places[k], g);\n" : ""}${repeat(2, (q) => `        o${q} += ${scaled ? "scaled" : "factors[k]"} * ${load("value", `at + column${q}.#`)};`)}
      }
    }
  }

  let rule = head_rules(h);
  let sink = bitcast<f32>(rule.y);
  let has_sink = (params.flags & flag_sinks) != 0u && rule.z != 0;
  // The largest visible key weighs 1 before it is divided.
  let empty = sum == 0.0;
  var decay = 1.0;
  if (has_sink) {
    let seen = largest;
    largest = select(max(seen, sink), sink, empty);
    decay = soft_exp(seen - largest);
    sum = sum * decay + soft_exp(sink - largest);
  }
  let factor = row_factor(decay / (${timesWeightFactor("sum", reads)}), largest, empty);
  let at = (b * params.queryHeads + h) * params.queryLength + i;
  if (first_column == 0u && (params.flags & flag_logSumExp) != 0u) {
    store_statistics(
      params.statisticsBase + at * params.statisticsRow + split * params.statisticsSplit,
      largest, sum, empty && !has_sink);
  }
  let output_at = params.outputBase + at * params.outputRow + split * params.outputSplit;
  for (var c = 0u; c < ${rowColumns}u && first_column + c < params.valueDim; c++) {
    output[output_at + first_column + c] = ${output}(factor * select(o0[c & 3u], o1[c & 3u], c > 3u));
  }
}
`;
  const name = attentionKernelName("row", storage, [], {
    bias,
    output,
    variants: readVariants(reads, storage),
  });
  return emitKernel({
    name,
    features: [f16 && "f16"],
    params: paramsFor(reads),
    bindings,
    fragments: [
      flagsFragment,
      linearFragment,
      rulesFragment(gathered),
      logitsFragment(bias, reads, "keys"),
      ...(gathered ? [gridFragment(reads)] : own.hasMap ? [mapFragment(false)] : []),
      ...readsFragments(reads, ["key", "value"]),
      lowestFragment,
      softExpFragment,
      rowFactorFragment,
      storeStatisticsFragment,
    ],
    body,
  });
}
