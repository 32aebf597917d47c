import { emitKernel } from "../../wgsl/emit.js";
import type { Binding, Kernel, Storage } from "../../wgsl/kernel.js";
import { flagsFragment } from "../params.js";
import { gridText } from "../wgsl/gathered.js";
import { gridFragment } from "../wgsl/grid.js";
import { logitsFragment } from "../wgsl/logits.js";
import {
  type Lanes,
  multiplyArguments,
  productsFragment,
  threadRows,
  tileKeys,
  tileRows,
  tileThreads,
} from "../wgsl/products.js";
import {
  besideBindings,
  boundElement,
  headAddress,
  joinsBias,
  keysInFloat16,
  paramsFor,
  plainReads,
  programBindings,
  type Reads,
  readVariants,
} from "../wgsl/reads.js";
import { rulesFragment } from "../wgsl/rules.js";
import { mergedStatisticsFragment } from "../wgsl/statistics.js";
import { attentionKernelName } from "./name.js";

/** The matrix that a kernel writes: every device has eight storage buffers, too few for both. */
export type MatrixName = "weights" | "scores";

export interface MatrixShape {
  readonly matrix: MatrixName;
  readonly storage: Storage;
  readonly bias: Storage;
  /** Element type of the matrix. */
  readonly output: Storage;
  /** Left out: keys are of the query's type and in no list. */
  readonly reads?: Reads;
}

const lanes: Lanes = 8;

/** Keys of a workgroup's tile; the grid's slices count them. */
export const matrixKeys: number = tileKeys(lanes);

/**
 * Weights or scores as a matrix `[batch, queryHeads, queryLength, keyLength]`, for inspecting a model.
 * Scores are computed a second time; weights are exp(s − max) / sum, with the maxima and sums that the
 * output's kernel stored for each part of the keys. A workgroup has 64 rows × 32 keys.
 */
export function matrixKernel(shape: MatrixShape): Kernel {
  const { matrix, storage, bias, output, reads = plainReads(storage) } = shape;
  const { gathered } = reads;
  const grid = gridText(reads, tileRows);
  const bits = matrix === "scores" && output === "f32";
  const bindings: Binding[] = [
    { name: "rules", element: "vec4<i32>", access: "read" },
    { name: "query", element: storage, access: "read" },
    { name: "key", element: boundElement(reads), access: "read" },
    ...besideBindings(reads, ["key"]),
    ...(reads.mask && !reads.joined
      ? [{ name: "mask", element: "u32", access: "read" } as const]
      : []),
    ...(reads.bias && !joinsBias(reads)
      ? [{ name: "bias", element: bias, access: "read" } as const]
      : []),
    ...programBindings(reads),
    { name: matrix, element: bits ? "u32" : output, access: "read_write" },
  ];
  if (matrix === "weights") {
    bindings.push({ name: "partialStatistics", element: "u32", access: "read" });
  }
  const f16 = storage === "f16" || bias === "f16" || output === "f16" || keysInFloat16(reads);
  const body = `@compute @workgroup_size(${tileThreads(lanes)})
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) counts: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let block = workgroup_block(workgroup, counts);
  if (!block.exists) {
    return;
  }
  let lane = thread % ${lanes}u;
  let band = thread / ${lanes}u;
  let b = block.batch;
${grid.batch}  let first_row = ${grid.firstRow};
  let staged = ${grid.rowsOf(`first_row + (thread / ${tileThreads(lanes) / (tileRows / 4)}u) * 4u`)};
  let kv_head = kv_head_of(block.head * params.stack);
  let key_at = ${headAddress("key", reads)};
  let tile = i32(params.firstKey + block.slice * ${matrixKeys}u);
  let end_key = min(i32(params.endKey), tile + ${matrixKeys});
  let keys = vec2<i32>(tile, min(end_key, batch.keys));
  // Keys past the batch's length do not exist: nothing of them is read.
  if (keys.x < keys.y) {
    multiply_tile(thread, query_rows(b, staged), key_at, tile, keys${multiplyArguments(reads)});
  }
${matrix === "weights" ? rowStatistics(grid.rowsOf(`first_row + band * ${threadRows}u + (own & 4u)`)) : ""}  for (var e = 0u; e < 8u; e++) {
    let key = lane * 4u + (e >> 1u);
    let j = tile + i32(key);
    let rows = ${grid.rowsOf(`first_row + band * ${threadRows}u + (e & 1u) * 4u`)};
    let exists = j < keys.y;
    let raw = tile_scores[score_slot(key, band * 2u + (e & 1u))];
    let capped = cap4(raw);
    let logits = bias_and_visibility(capped, batch, b, rows, vec4<u32>(u32(j)));
    for (var r = 0; r < 4; r++) {
      if (!rows.exists[r] || j >= end_key) {
        continue;
      }
      let row = (b * params.queryHeads + rows.head[r]) * params.queryLength + rows.index[r];
      let at = params.matrixBase + row * params.keyLength + u32(j);
${matrix === "weights" ? weights(output) : scores(output)}
    }
  }
}
`;
  const name = attentionKernelName(matrix, storage, [], {
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
      gridFragment(reads),
      rulesFragment(gathered),
      logitsFragment(bias, reads),
      productsFragment(lanes, storage, reads),
      ...(matrix === "weights" ? [mergedStatisticsFragment(gathered)] : []),
    ],
    body,
  });
}

/** Maximum and sum of the thread's rows, once for all of its keys. */
const rowStatistics = (rowsOf: string): string => `  var largest: array<f32, 8>;
  var sum: array<f32, 8>;
  for (var own = 0u; own < 8u; own++) {
    let rows = ${rowsOf};
    let r = own & 3u;
    if (!rows.exists[r]) {
      continue;
    }
    let row = (b * params.queryHeads + rows.head[r]) * params.queryLength + rows.index[r];
    var statistic = merged_maximum(row, rows.head[r]);
    for (var part = 0u; part < params.count; part++) {
      statistic.sum += part_weight(row, part, statistic.largest);
    }
    largest[own] = statistic.largest;
    sum[own] = statistic.sum;
  }
`;

const weights = (output: Storage): string => `      var weight = 0.0;
      if (exists && logits.visible[r]) {
        let own = (e & 1u) * 4u + u32(r);
        weight = soft_exp(logits.s[r] - largest[own]) / sum[own];
      }
      weights[at] = ${output}(weight);`;

/**
 * A bias of −∞ gives a score of −∞, which is written as bits. There are no bits of float16 to choose
 * from: naga, the compiler of Firefox and Deno, has no bitcast of float16. Its −∞ is converted from
 * float32's, which every device's conversion keeps.
 */
const scores = (output: Storage): string => `      var score = 0.0;
      var infinite = false;
      if (exists) {
        score = select(raw[r], capped[r], (params.flags & flag_scoresCapped) != 0u);
        if ((params.flags & flag_scoresBiased) != 0u) {
          score = logits.s[r];
          infinite = logits.infinite[r];
        }
      }
      scores[at] = ${
        output === "f32"
          ? "select(bitcast<u32>(score), 0xff800000u, infinite)"
          : "f16(bitcast<f32>(select(bitcast<u32>(score), 0xff800000u, infinite)))"
      };`;
