import { emitKernel, repeat } from "../../wgsl/emit.js";
import type { Kernel, Storage } from "../../wgsl/kernel.js";
import { flagsFragment } from "../params.js";
import { programText } from "../programs/kernel-text.js";
import { finishFragment } from "../wgsl/finish.js";
import { forwardBindings } from "../wgsl/forward.js";
import { gridFragment } from "../wgsl/grid.js";
import { logitsFragment } from "../wgsl/logits.js";
import { paramsFor, plainReads, type Reads, readVariants } from "../wgsl/reads.js";
import { rulesFragment } from "../wgsl/rules.js";
import { type MatrixSizes, matrixStep, matrixThreads } from "./matrix-sizes.js";
import { attentionKernelName } from "./name.js";

/** The decisions that the kernel's text depends on. */
export interface SubgroupMatrixShape {
  /** Sizes that divide {@link matrixStep}. */
  readonly matrices: MatrixSizes;
  /** Query rows of a workgroup. */
  readonly rows: 32 | 64;
  /** The head size, rounded up to a multiple of {@link matrixStep}. */
  readonly headDim: number;
  /** Value columns that a workgroup accumulates. */
  readonly columns: 32 | 64 | 128;
  readonly bias: Storage;
  /** Element type of the output: f32 for a part of the keys that is merged later. */
  readonly output: Storage;
  /** float16 keys in no list. Left out: without programs. */
  readonly reads?: Reads;
}

/**
 * Elements between rows in workgroup memory: matrices are loaded from addresses and strides of 16
 * bytes, and rows one below the other shall not meet in one bank.
 */
const halfStride = (size: number): number => size + 8;
const productStride: number = matrixStep + 4;

/** Bytes of workgroup memory. */
export function subgroupMatrixBytes({
  rows,
  headDim,
  columns,
}: Pick<SubgroupMatrixShape, "rows" | "headDim" | "columns">): number {
  const halves =
    rows * halfStride(headDim) +
    matrixStep * halfStride(Math.max(headDim, columns)) +
    rows * halfStride(matrixStep);
  return 2 * halves + 4 * rows * productStride + 4;
}

/**
 * FlashAttention with the products of matrices that whole subgroups hold, from the experimental WGSL
 * extension `chromium_experimental_subgroup_matrix`
 * (https://dawn.googlesource.com/dawn/+/refs/heads/main/docs/dawn/features/subgroup_matrix.md).
 *
 * Which invocation holds which element of such a matrix is not known, so products go through workgroup
 * memory: of queries and keys before the rules and the softmax, of weights and values before they are
 * added to the output, which ordinary invocations keep in registers. However many subgroups there are
 * share the strips of rows.
 *
 * Weights are rounded to float16 after multiplication by 2^15, so that those down to 2^-29 of a row's
 * largest one are normal numbers. Outputs are divided by the sum of rounded weights, statistics have
 * that of exact ones.
 */
export function subgroupMatrixKernel(shape: SubgroupMatrixShape): Kernel {
  const { matrices, rows, headDim, columns, bias, output } = shape;
  const { m, n, k } = matrices;
  /** Threads that share a row; they have every `parts`-th key and column. */
  const parts = matrixThreads / rows;
  const quads = matrixStep / parts / 4;
  const blocks = columns / matrixStep;
  const across = matrixStep / n;
  const [queryStride, keyStride, valueStride, weightStride] = [
    halfStride(headDim),
    halfStride(headDim),
    halfStride(columns),
    halfStride(matrixStep),
  ];
  const { reads = plainReads("f16") } = shape;
  const own = programText(reads.programs);
  const bindings = forwardBindings({ query: "f16", key: "f16", bias, output, reads });
  const forQuads = (text: (block: number, quad: number) => string): string =>
    repeat(blocks, (block) => repeat(quads, (quad) => text(block, quad)));
  /** The four columns of a row that belong to a thread's quad. */
  const ofRow = (array: string, quad: number, at = "row_at"): string =>
    `vec4<f32>(${repeat(4, (c) => `f32(${array}[${at} + ${parts * (4 * quad + c)}u])`, ", ")})`;
  const body = `alias Left = subgroup_matrix_left<f16, ${k}, ${m}>;
alias Right = subgroup_matrix_right<f16, ${n}, ${k}>;
alias Result = subgroup_matrix_result<f32, ${n}, ${m}>;

var<workgroup> query_tile: array<f16, ${rows * queryStride}>;
/** Keys, then values of the same tile. */
var<workgroup> key_tile: array<f16, ${matrixStep * Math.max(keyStride, valueStride)}>;
/** Products, with ${productStride - matrixStep} elements after each row for what its threads tell each other. */
var<workgroup> products: array<f32, ${rows * productStride}>;
var<workgroup> weight_tile: array<f16, ${rows * weightStride}>;
/** Whether a value of the tile is an infinity or not a number. */
var<workgroup> special: atomic<u32>;

fn stage_keys(thread: u32, at: u32, tile: i32, end: i32) {
  for (var e = thread; e < ${matrixStep * headDim}u; e += ${matrixThreads}u) {
    let row = e / ${headDim}u;
    let d = e % ${headDim}u;
    let j = tile + i32(row);
    var x = f16();
    if (d < params.headDim && j < end) {
      x = key[at + u32(j) * params.keyRow + d * params.keyColumn];
    }
    key_tile[row * ${keyStride}u + d] = x;
  }
}
fn stage_values(thread: u32, at: u32, tile: i32, end: i32, first_column: u32) {
  var found = false;
  for (var e = thread; e < ${matrixStep * columns}u; e += ${matrixThreads}u) {
    let row = e / ${columns}u;
    let c = e % ${columns}u;
    let j = tile + i32(row);
    var x = f16();
    if (first_column + c < params.valueDim && j < end) {
      x = value[at + u32(j) * params.valueRow + (first_column + c) * params.valueColumn];
    }
    found = found || (bitcast<u32>(vec2<f16>(x)) & 0x7c00u) == 0x7c00u;
    key_tile[row * ${valueStride}u + c] = x;
  }
  if (found) {
    atomicStore(&special, 1u);
  }
}
/** A strip of queries by the tile's keys. */
fn multiply_keys(strip: u32) {
${repeat(across, (x) => `  var s${x} = Result();`)}
  for (var d = 0u; d < ${headDim}u; d += ${k}u) {
    let left = subgroupMatrixLoad<Left, row_major>(&query_tile, strip * ${m * queryStride}u + d, ${queryStride}u);
${repeat(across, (x) => `    s${x} = subgroupMatrixMultiplyAccumulate(left, subgroupMatrixLoad<Right, col_major>(&key_tile, ${x * n * keyStride}u + d, ${keyStride}u), s${x});`)}
  }
${repeat(across, (x) => `  subgroupMatrixStore<row_major>(&products, strip * ${m * productStride}u + ${x * n}u, s${x}, ${productStride}u);`)}
}
/** A strip of weights by ${matrixStep} columns of the tile's values. */
fn multiply_values(strip: u32, first_column: u32) {
${repeat(across, (x) => `  var o${x} = Result();`)}
  for (var j = 0u; j < ${matrixStep}u; j += ${k}u) {
    let left = subgroupMatrixLoad<Left, row_major>(&weight_tile, strip * ${m * weightStride}u + j, ${weightStride}u);
${repeat(across, (x) => `    o${x} = subgroupMatrixMultiplyAccumulate(left, subgroupMatrixLoad<Right, row_major>(&key_tile, j * ${valueStride}u + first_column + ${x * n}u, ${valueStride}u), o${x});`)}
  }
${repeat(across, (x) => `  subgroupMatrixStore<row_major>(&products, strip * ${m * productStride}u + ${x * n}u, o${x}, ${productStride}u);`)}
}

@compute @workgroup_size(${matrixThreads})
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) counts: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
  @builtin(subgroup_id) own_subgroup: u32,
  @builtin(num_subgroups) all_subgroups: u32,
) {
  let block = workgroup_block(workgroup, counts);
  if (!block.exists) {
    return;
  }
  let row = thread / ${parts}u;
  let part = thread % ${parts}u;
  let row_at = row * ${productStride}u + part;
  let shared_at = row * ${productStride}u + ${matrixStep}u;
  let b = block.batch;
  let batch = batch_rules(b);
${own.start("b")}  let first_row = params.firstRow + block.tile * ${rows}u;
  let end_row = min(params.endRow, first_row + ${rows}u);
  let span = queries_of(first_row, end_row);
  let first_index = span.x;
  let last_index = span.y;
  let keys = visible_keys(batch, block.split, first_index, last_index);
${own.map("block.batch, block.head, first_row")}  let four = rows_of(block.head, first_row + row);
  let own = Rows(vec4<u32>(four.index.x), vec4<u32>(four.head.x), vec4<bool>(four.exists.x)${own.values("first_values(four.values)")});
  let kv_head = kv_head_of(block.head * params.stack);
  let key_at = params.keyBase + b * params.keyBatch + kv_head * params.keyHead;
  let value_at = params.valueBase + b * params.valueBatch + kv_head * params.valueHead;
  let first_column = block.slice * ${columns}u;

  let query_at = params.queryBase + b * params.queryBatch + own.head.x * params.queryHead
    + own.index.x * params.queryRow;
  for (var d = part; d < ${headDim}u; d += ${parts}u) {
    var x = f16();
    if (d < params.headDim) {
      x = query[query_at + d * params.queryColumn];
    }
    query_tile[row * ${queryStride}u + d] = x;
  }

${forQuads((block, quad) => `  var o${block}_${quad} = vec4<f32>();`)}
  var largest = lowest;
  /** Sums over the thread's own keys: of weights, and of weights rounded to float16. */
  var sum = 0.0;
  var rounded_sum = 0.0;

  for (var tile = keys.x; tile < keys.y; tile += ${matrixStep}) {
${own.visit("tile", "    ")}    workgroupBarrier();
    stage_keys(thread, key_at, tile, keys.y);
    if (thread == 0u) {
      atomicStore(&special, 0u);
    }
    workgroupBarrier();
    for (var strip = own_subgroup; strip < ${rows / m}u; strip += all_subgroups) {
      multiply_keys(strip);
    }
    workgroupBarrier();
    stage_values(thread, value_at, tile, keys.y, first_column);

    let masked = ${own.masked}(params.flags & flags_elementwise) != 0u || tile + ${matrixStep} > keys.y
      || tile - last_index < batch.first || tile + ${matrixStep - 1} - first_index > batch.last
      || end_row < first_row + ${rows}u;
    // One bit for each of the thread's keys.
    var visible = 0xffffffffu;
    var best = lowest;
    if (masked) {
      visible = 0u;
      for (var quad = 0u; quad < ${quads}u; quad++) {
        let offset = vec4<u32>(quad * ${4 * parts}u) + vec4<u32>(0u, ${parts}u, ${2 * parts}u, ${3 * parts}u);
        let at = vec4<u32>(row_at) + offset;
        let s = params.scale * vec4<f32>(products[at.x], products[at.y], products[at.z], products[at.w]);
        let j = vec4<u32>(u32(tile) + part) + offset;
        let logits = bias_and_visibility(cap4(s), batch, b, own, j);
        let seen = logits.visible & (vec4<i32>(j) < vec4<i32>(keys.y));
        for (var c = 0u; c < 4u; c++) {
          products[at[c]] = logits.s[c];
        }
        let bits = select(vec4<u32>(), vec4<u32>(1u, 2u, 4u, 8u), seen);
        visible |= (bits.x | bits.y | bits.z | bits.w) << (quad * 4u);
        let candidates = select(vec4<f32>(lowest), logits.s, seen);
        best = max(best, max(max(candidates.x, candidates.y), max(candidates.z, candidates.w)));
      }
    } else {
      for (var e = 0u; e < ${4 * quads}u; e++) {
        let s = params.scale * products[row_at + e * ${parts}u];
        products[row_at + e * ${parts}u] = s;
        best = max(best, s);
      }
    }
    products[shared_at + part] = best;
    let by_element = workgroupUniformLoad(&special) != 0u;
    for (var other = 0u; other < ${parts}u; other++) {
      best = max(best, products[shared_at + other]);
    }
    best = max(best, largest);
    let decay = soft_exp(largest - best);
    largest = best;
    sum *= decay;
    rounded_sum *= decay;
    for (var e = 0u; e < ${4 * quads}u; e++) {
      let at = row_at + e * ${parts}u;
      var weight = 0.0;
      if ((visible & (1u << e)) != 0u) {
        weight = soft_exp(products[at] - best);
      }
      let rounded = f16(weight * 0x1p15);
      weight_tile[row * ${weightStride}u + part + e * ${parts}u] = rounded;
      sum += weight;
      if (by_element) {
        products[at] = weight;
        rounded_sum += weight;
      } else {
        rounded_sum += f32(rounded) * 0x1p-15;
      }
    }
    workgroupBarrier();
${forQuads((block, quad) => `    o${block}_${quad} *= decay;`)}
    if (by_element) {
      for (var e = 0u; e < u32(min(${matrixStep}, keys.y - tile)); e++) {
        let weight = products[row * ${productStride}u + e];
        // A row that does not see the key must not see its NaN either.
        let hidden = masked && weight == 0.0;
        let at = e * ${valueStride}u + part;
${forQuads(
  (block, quad) =>
    `        o${block}_${quad} += select(weight * ${ofRow("key_tile", quad, `at + ${block * matrixStep}u`)}, vec4<f32>(), hidden);`,
)}
      }
    } else {
${repeat(
  blocks,
  (
    block,
  ) => `${block === 0 ? "" : "      workgroupBarrier();\n"}      for (var strip = own_subgroup; strip < ${rows / m}u; strip += all_subgroups) {
        multiply_values(strip, ${block * matrixStep}u);
      }
      workgroupBarrier();
${repeat(quads, (quad) => `      o${block}_${quad} += 0x1p-15 * ${ofRow("products", quad)};`)}`,
)}
    }
  }

  workgroupBarrier();
  products[row_at] = rounded_sum;
  products[shared_at + part] = sum;
  workgroupBarrier();
  rounded_sum = 0.0;
  sum = 0.0;
  for (var other = 0u; other < ${parts}u; other++) {
    rounded_sum += products[row * ${productStride}u + other];
    sum += products[shared_at + other];
  }
  let once = Rows(own.index, own.head, vec4<bool>(own.exists.x, false, false, false)${own.values("own.values")});
  let exact = finish_rows(once, b, block.split, vec4<f32>(largest), vec4<f32>(sum), part == 0u && block.slice == 0u).x;
  let factor = select(exact * (sum / rounded_sum), 0.0, sum == 0.0);

  // By way of workgroup memory, so that neighbours write neighbours.
${repeat(
  blocks,
  (block) => `  workgroupBarrier();
${repeat(quads, (quad) => repeat(4, (c) => `  products[row_at + ${parts * (4 * quad + c)}u] = factor * o${block}_${quad}.${"xyzw"[c]};`))}
  workgroupBarrier();
  store_columns(thread, block, first_row, end_row, first_column + ${block * matrixStep}u);`,
)}
}

fn store_columns(thread: u32, block: Block, first_row: u32, end_row: u32, first_column: u32) {
  let base = params.outputBase + block.split * params.outputSplit;
  for (var e = thread; e < ${rows * matrixStep}u; e += ${matrixThreads}u) {
    let row = first_row + e / ${matrixStep}u;
    let column = first_column + e % ${matrixStep}u;
    if (row < end_row && column < params.valueDim) {
      let stacked = row / params.queryLength;
      let head = block.head * params.stack + stacked;
      let at = (block.batch * params.queryHeads + head) * params.queryLength
        + row - stacked * params.queryLength;
      output[base + at * params.outputRow + column]
        = ${output}(products[e / ${matrixStep}u * ${productStride}u + e % ${matrixStep}u]);
    }
  }
}
`;
  const name = attentionKernelName("subgroup-matrix", "f16", [rows, headDim, columns], {
    bias,
    output,
    variants: [`by-${m}x${n}x${k}`, ...readVariants(reads, "f16")],
  });
  return emitKernel({
    name,
    features: ["f16", "subgroups", "chromium_experimental_subgroup_matrix"],
    // Strips of rows are shared out by subgroup: uniform in each, which the analysis cannot know.
    directives: "diagnostic(off, chromium.subgroup_matrix_uniformity);\n",
    params: paramsFor(reads),
    bindings,
    fragments: [
      flagsFragment,
      gridFragment(reads),
      rulesFragment(false),
      logitsFragment(bias, reads, "keys"),
      finishFragment(reads),
    ],
    body,
  });
}
