import { emitKernel, repeat } from "../../wgsl/emit.js";
import type { Kernel, Storage } from "../../wgsl/kernel.js";
import { flagsFragment } from "../params.js";
import { programText } from "../programs/kernel-text.js";
import { finishFragment } from "../wgsl/finish.js";
import { forwardBindings } from "../wgsl/forward.js";
import { gridText } from "../wgsl/gathered.js";
import { gridFragment } from "../wgsl/grid.js";
import { logitsFragment } from "../wgsl/logits.js";
import {
  boundElement,
  elementsOfWord,
  headAddress,
  keysInFloat16,
  loadElement,
  loadFour,
  paramsFor,
  plainReads,
  type Reads,
  readsFragments,
  readVariants,
} from "../wgsl/reads.js";
import { notFiniteFragment, rulesFragment } from "../wgsl/rules.js";
import { timesWeightFactor } from "../wgsl/weight-factor.js";
import { attentionKernelName } from "./name.js";

/** Threads of a workgroup, and keys of its tile: one for each thread. */
export const decodeThreads = 64;
/** Query rows of a workgroup, taken from all heads of a group. */
export const decodeRows = 8;
/** Threads that share a key's product. */
const sharers = 4;

export interface DecodeShape {
  /** Value columns of a workgroup. */
  readonly columns: 64 | 128 | 256;
  /** Elements of the head size that queries are kept for, a multiple of 16. */
  readonly headDim: number;
  /** Whether keys and values can be read four elements at a time: rows are dense and aligned. */
  readonly vectors: boolean;
  readonly storage: Storage;
  readonly bias: Storage;
  /** Element type of the output: f32 for a part of the keys that is merged later. */
  readonly output: Storage;
  /** Left out: keys and values are of the query's type and in no list. */
  readonly reads?: Reads;
}

/** Bytes of workgroup memory. */
export function decodeBytes({
  headDim,
  gathered = false,
}: Pick<DecodeShape, "headDim"> & { readonly gathered?: boolean }): number {
  const scores = decodeThreads * 2 * 16;
  const places = gathered ? decodeThreads * 8 : 0;
  return decodeRows * headDim * 4 + sharers * scores + 2 * 8 * 16 + decodeThreads * 2 * 16 + places;
}

/**
 * Decoding: eight rows, those of the query heads of a group, share one read of keys and values, which
 * takes almost all of the time. Four threads multiply a key, each of them a quarter of every 16 elements;
 * each thread then applies the rules to one key of the tile. For the output, each thread has four value
 * columns; if there are fewer columns than threads, the threads of a column take turns at the keys.
 */
export function decodeKernel(shape: DecodeShape): Kernel {
  const { columns, headDim, vectors, storage, bias, output } = shape;
  const reads: Reads = { ...(shape.reads ?? plainReads(storage)), words: vectors };
  const { gathered } = reads;
  const grid = gridText(reads, decodeRows);
  const own = programText(reads.programs);
  const scaled = reads.element === "i8";
  const byWords = elementsOfWord(reads.element) > 1;
  const element = vectors && !byWords ? `vec4<${reads.element}>` : boundElement(reads);
  const columnThreads = columns / 4;
  const turns = decodeThreads / columnThreads;
  const bindings = forwardBindings({ query: storage, key: element, bias, output, reads });
  const f16 = storage === "f16" || bias === "f16" || output === "f16" || keysInFloat16(reads);
  const stored = grid.outputRow("row", "  ");
  const address = (from: "key" | "value", k: string): string =>
    gathered
      ? `${from}_at + tile_rows[${k}].${from === "key" ? "x" : "y"}`
      : `${from}_at + ${from === "key" ? "u32(j)" : `(u32(tile) + ${k})`} * params.${from}Row`;
  /** Four elements of a row from element `first`; past the size, 0. */
  const four = (from: "key" | "value", size: string): string =>
    vectors
      ? `  return select(vec4<f32>(), ${byWords ? loadFour(from, `row + min(first, ${size} - 4u)`, reads) : `vec4<f32>(${from}[(row + min(first, ${size} - 4u)) >> 2u])`}, first < ${size});`
      : `  let at = vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u);
  let clamped = row + min(at, vec4<u32>(${size} - 1u)) * params.${from}Column;
  let x = vec4<f32>(${["x", "y", "z", "w"].map((c) => loadElement(from, `clamped.${c}`, reads)).join(", ")});
  return select(vec4<f32>(), x, at < vec4<u32>(${size}));`;
  const forRows = (text: (r: number, half: string, component: string) => string): string =>
    repeat(decodeRows, (r) => text(r, r < 4 ? "low" : "high", "xyzw"[r % 4] as string));
  const body = `var<workgroup> queries: array<vec4<f32>, ${(decodeRows * headDim) / 4}>;
/** Partial products of each key by its four threads, four rows to an element; then weights, in the place of the first thread's. */
var<workgroup> products: array<vec4<f32>, ${sharers * decodeThreads * 2}>;
var<workgroup> tops: array<vec4<f32>, 16>;
var<workgroup> exchange: array<vec4<f32>, ${decodeThreads * 2}>;
${gathered ? `/** Start of the rows of the tile's keys and values, from the first of the head. */\nvar<workgroup> tile_rows: array<vec2<u32>, ${decodeThreads}>;\n` : ""}
fn key_four(row: u32, first: u32) -> vec4<f32> {
${four("key", "params.headDim")}
}
fn value_four(row: u32, first: u32) -> vec4<f32> {
${four("value", "params.valueDim")}
}
/** The largest of every thread's rows, by way of eight threads' largest of eight. */
fn largest(thread: u32, low: vec4<f32>, high: vec4<f32>) -> array<vec4<f32>, 2> {
  exchange[thread * 2u] = low;
  exchange[thread * 2u + 1u] = high;
  workgroupBarrier();
  if (thread < 16u) {
    let half = thread & 1u;
    let first = (thread >> 1u) * 8u;
    var top = vec4<f32>(lowest);
    for (var other = 0u; other < 8u; other++) {
      top = max(top, exchange[(first + other) * 2u + half]);
    }
    tops[thread] = top;
  }
  workgroupBarrier();
  var both = array<vec4<f32>, 2>(tops[0], tops[1]);
  for (var other = 1u; other < 8u; other++) {
    both[0] = max(both[0], tops[other * 2u]);
    both[1] = max(both[1], tops[other * 2u + 1u]);
  }
  return both;
}

@compute @workgroup_size(${decodeThreads})
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) counts: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let block = workgroup_block(workgroup, counts);
  if (!block.exists) {
    return;
  }
  let b = block.batch;
${grid.batch}  let first_row = ${grid.firstRow};
  let end_row = ${grid.endRow};
  let span = ${grid.span};
  let first_index = span.x;
  let last_index = span.y;
  let keys = ${grid.keys("block.split")};
${grid.map}  let low_rows = ${grid.rowsOf("first_row")};
  let high_rows = ${grid.rowsOf("first_row + 4u")};
  let kv_head = kv_head_of(block.head * params.stack);
  let key_at = ${headAddress("key", reads)};
  let value_at = ${headAddress("value", reads)};
  let sharer = thread & ${sharers - 1}u;
  let column = block.slice * ${columns}u + (thread % ${columnThreads}u) * 4u;
  let turn = thread / ${columnThreads}u;

  for (var e = thread; e < ${(decodeRows * headDim) / 4}u; e += ${decodeThreads}u) {
    let row = ${grid.rowsOf(`first_row + e / ${headDim / 4}u`)};
    let at = params.queryBase + b * params.queryBatch + row.head.x * params.queryHead
      + row.index.x * params.queryRow;
    var q = vec4<f32>();
    for (var i = 0u; i < 4u; i++) {
      let d = (e % ${headDim / 4}u) * 4u + i;
      if (d < params.headDim) {
        q[i] = f32(query[at + d * params.queryColumn]);
      }
    }
    queries[e] = q;
  }
  workgroupBarrier();

${forRows((r) => `  var o${r} = vec4<f32>();`)}
  var low_top = vec4<f32>(lowest);
  var high_top = vec4<f32>(lowest);
  var low_sum = vec4<f32>();
  var high_sum = vec4<f32>();
  for (var tile = keys.x; tile < keys.y; tile += ${decodeThreads}) {
${own.visit("tile", "    ")}${
  gathered
    ? `${grid.visibility("tile", decodeThreads, "    ")}    let own_place = place_of(batch, u32(min(tile + i32(thread), keys.y - 1)));
    tile_rows[thread] = vec2<u32>(key_row(0u, own_place), value_row(0u, own_place));
    workgroupBarrier();
`
    : ""
}    for (var k = thread / ${sharers}u; k < ${decodeThreads}u; k += ${decodeThreads / sharers}u) {
${forRows((r) => `      var s${r} = vec4<f32>();`)}
      let j = tile + i32(k);
      if (j < keys.y) {
        let row = ${address("key", "k")};
        for (var d = sharer; d * 4u < params.headDim; d += ${sharers}u) {
          let x = key_four(row, d * 4u);
${forRows((r) => `          s${r} += x * queries[${(r * headDim) / 4}u + d];`)}
        }
      }
      let slot = (sharer * ${decodeThreads}u + k) * 2u;
      let one = vec4<f32>(1.0);
      products[slot] = vec4<f32>(dot(s0, one), dot(s1, one), dot(s2, one), dot(s3, one));
      products[slot + 1u] = vec4<f32>(dot(s4, one), dot(s5, one), dot(s6, one), dot(s7, one));
    }
    workgroupBarrier();
    var low = vec4<f32>();
    var high = vec4<f32>();
    for (var other = 0u; other < ${sharers}u; other++) {
      low += products[(other * ${decodeThreads}u + thread) * 2u];
      high += products[(other * ${decodeThreads}u + thread) * 2u + 1u];
    }
${scaled ? "    let scale = params.scale * key_scale(own_place, kv_head);\n" : ""}    low *= ${scaled ? "scale" : "params.scale"};
    high *= ${scaled ? "scale" : "params.scale"};
    let j = tile + i32(thread);
    let low_logits = bias_and_visibility(cap4(low), batch, b, low_rows, vec4<u32>(u32(j)));
    let high_logits = bias_and_visibility(cap4(high), batch, b, high_rows, vec4<u32>(u32(j)));
    let low_seen = low_logits.visible & vec4<bool>(j < keys.y);
    let high_seen = high_logits.visible & vec4<bool>(j < keys.y);
    let top = largest(
      thread,
      select(vec4<f32>(lowest), low_logits.s, low_seen),
      select(vec4<f32>(lowest), high_logits.s, high_seen),
    );
    let low_next = max(low_top, top[0]);
    let high_next = max(high_top, top[1]);
    let low_decay = soft_exp4(low_top - low_next);
    let high_decay = soft_exp4(high_top - high_next);
    low_top = low_next;
    high_top = high_next;
    let low_weight = select(vec4<f32>(), soft_exp4(low_logits.s - low_top), low_seen);
    let high_weight = select(vec4<f32>(), soft_exp4(high_logits.s - high_top), high_seen);
    low_sum = low_sum * low_decay + low_weight;
    high_sum = high_sum * high_decay + high_weight;
${
  scaled
    ? `    let value_by = value_scale(own_place, kv_head);
    products[thread * 2u] = select(vec4<f32>(), ${timesWeightFactor("low_weight", reads)} * value_by, low_seen);
    products[thread * 2u + 1u] = select(vec4<f32>(), ${timesWeightFactor("high_weight", reads)} * value_by, high_seen);
`
    : `    products[thread * 2u] = ${timesWeightFactor("low_weight", reads)};
    products[thread * 2u + 1u] = ${timesWeightFactor("high_weight", reads)};
`
}    workgroupBarrier();
    // The tile's sums by themselves, since long float32 sums of nearly equal terms drift.
${forRows((r) => `    var t${r} = vec4<f32>();`)}
    let count = u32(min(${decodeThreads}, keys.y - tile));
    for (var k = turn; k < count; k += ${turns}u) {
      let v = value_four(${address("value", "k")}, column);
      let low = products[k * 2u];
      let high = products[k * 2u + 1u];
      if (not_finite4(v)) {
        // A row that does not see the key must not see its NaN either.
${forRows((r, half, c) => `        t${r} += select(${half}.${c} * v, vec4<f32>(), ${half}.${c} == 0.0);`)}
      } else {
${forRows((r, half, c) => `        t${r} += ${half}.${c} * v;`)}
      }
    }
${forRows((r, half, c) => `    o${r} = o${r} * ${half}_decay.${c} + t${r};`)}
    workgroupBarrier();
  }

  // Sums over the threads' keys, in order; then outputs over the turns.
  exchange[thread * 2u] = low_sum;
  exchange[thread * 2u + 1u] = high_sum;
  workgroupBarrier();
  low_sum = vec4<f32>();
  high_sum = vec4<f32>();
  for (var other = 0u; other < ${decodeThreads}u; other++) {
    low_sum += exchange[other * 2u];
    high_sum += exchange[other * 2u + 1u];
  }
  let store = thread == 0u && block.slice == 0u;
  let low = finish_rows(low_rows, b, block.split, low_top, low_sum, store);
  let high = finish_rows(high_rows, b, block.split, high_top, high_sum, store);
${forRows(
  (r, half, c) => `  workgroupBarrier();
  exchange[thread] = o${r} * ${half}.${c};
  workgroupBarrier();
  store_row(thread, block, first_row + ${r}u, end_row, column);`,
)}
}

fn store_row(thread: u32, block: Block, row: u32, end_row: u32, column: u32) {
  if (row >= end_row || thread >= ${columnThreads}u) {
    return;
  }
  var sum = exchange[thread];
  for (var turn = 1u; turn < ${turns}u; turn++) {
    sum += exchange[turn * ${columnThreads}u + thread];
  }
${stored.before}  let at = ${stored.at};
  let base = params.outputBase + at * params.outputRow + block.split * params.outputSplit + column;
  for (var i = 0u; i < 4u && column + i < params.valueDim; i++) {
    output[base + i] = ${output}(sum[i]);
  }
}
`;
  const name = attentionKernelName("decode", storage, [headDim, columns], {
    bias,
    output,
    variants: [vectors && "vectors", ...readVariants({ ...reads, words: false }, storage)],
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
      notFiniteFragment,
      logitsFragment(bias, reads),
      finishFragment(reads),
      ...readsFragments(reads, ["key", "value"]),
    ],
    body,
  });
}
