import { emitKernel, type Fragment, repeat } from "../../wgsl/emit.js";
import type { Kernel, Storage } from "../../wgsl/kernel.js";
import { flagsFragment } from "../params.js";
import { programText } from "../programs/kernel-text.js";
import { finishFragment } from "../wgsl/finish.js";
import { forwardBindings } from "../wgsl/forward.js";
import { gridText } from "../wgsl/gathered.js";
import { gridFragment } from "../wgsl/grid.js";
import { logitsFragment } from "../wgsl/logits.js";
import {
  type Lanes,
  multiplyArguments,
  productsBytes,
  productsFragment,
  threadRows,
  tileKeys,
  tileRows,
  tileThreads,
} from "../wgsl/products.js";
import {
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
import { runKeys } from "./runs.js";

/** The decisions that the kernel's text depends on. */
export interface TileShape {
  /** Threads along the keys. */
  readonly lanes: Lanes;
  /** Value columns that a workgroup accumulates: a multiple of 4·lanes. */
  readonly columns: number;
  readonly storage: Storage;
  readonly bias: Storage;
  /** Element type of the output: f32 for a part of the keys that is merged later. */
  readonly output: Storage;
  /** Whether rows are reduced across lanes by subgroups as far as those reach. */
  readonly subgroups: boolean;
  /**
   * Whether runs of {@link runKeys} keys are summed by themselves, as `needsRuns` says; takes
   * twice the registers for the output. Default false.
   */
  readonly runs?: boolean;
  /** Left out: keys and values are of the query's type and in no list. */
  readonly reads?: Reads;
}

/** Bytes of workgroup memory: 16 KB, which every device has, for 8 lanes and f32. */
export function tileBytes({ lanes, storage }: Pick<TileShape, "lanes" | "storage">): number {
  return productsBytes(lanes, storage) + lanes * tileRows * 4;
}

/**
 * FlashAttention (arXiv:2205.14135, 2307.08691) over tiles in workgroup memory. A workgroup has 64
 * query rows; rows' maxima, sums and output stay in registers while it walks over the keys that any
 * of its rows sees. A thread owns 8 rows × 4 keys of the scores and 8 rows × columns/lanes of the
 * output; values are read from storage, one key at a time, by all threads in step.
 */
export function tileKernel(shape: TileShape): Kernel {
  const { lanes, columns, storage, bias, output, subgroups, runs = false } = shape;
  const { reads = plainReads(storage) } = shape;
  const grid = gridText(reads, tileRows);
  const own = programText(reads.programs);
  const scaled = reads.element === "i8";
  const threads = tileThreads(lanes);
  const keys = tileKeys(lanes);
  const quads = columns / (4 * lanes);
  const rowQuads = tileRows / 4;
  const bindings = forwardBindings({ query: storage, bias, output, reads });
  const forRows = (text: (r: number, component: string) => string): string =>
    repeat(threadRows, (r) => text(r, `${r < 4 ? "low" : "high"}.${"xyzw"[r % 4]}`));
  const forOutputs = (text: (r: number, q: number, component: string) => string): string =>
    forRows((r, component) => repeat(quads, (q) => text(r, q, component)));
  const f16 = storage === "f16" || bias === "f16" || output === "f16" || keysInFloat16(reads);
  const last = grid.outputRow("row", "      ");
  const four = (column: string): string =>
    reads.words
      ? loadFour("value", `at + ${column}.x`, reads)
      : `vec4<f32>(${["x", "y", "z", "w"].map((c) => loadElement("value", `at + ${column}.${c}`, reads)).join(", ")})`;
  const ownScales = `    var value_scales: array<f32, 4>;
    for (var c = 0u; c < 4u; c++) {
      value_scales[c] = value_scale(place_of(batch, u32(min(tile + i32(lane * 4u + c), keys.y - 1))), kv_head);
    }
`;
  // Sums over the runs before, and what they were scaled by.
  const totals = `${forOutputs((r, q) => `  var total${r}_${q} = vec4<f32>();`)}
  var low_total_max = vec4<f32>(lowest);
  var high_total_max = vec4<f32>(lowest);
  var low_total = vec4<f32>();
  var high_total = vec4<f32>();
  var end_of_run = (keys.x / ${runKeys} + 1) * ${runKeys};
`;
  const newRun = `    if (tile >= end_of_run) {
      end_of_run = (tile / ${runKeys} + 1) * ${runKeys};
      let low_decay = soft_exp4(low_total_max - low_max);
      let high_decay = soft_exp4(high_total_max - high_max);
      low_total_max = low_max;
      high_total_max = high_max;
      low_total = low_total * low_decay + low_sum;
      high_total = high_total * high_decay + high_sum;
      low_sum = vec4<f32>();
      high_sum = vec4<f32>();
${forOutputs(
  (
    r,
    q,
    component,
  ) => `      total${r}_${q} = total${r}_${q} * ${component.replace(".", "_decay.")} + o${r}_${q};
      o${r}_${q} = vec4<f32>();`,
)}
    }
`;
  const lastRun = `  let low_decay = soft_exp4(low_total_max - low_max);
  let high_decay = soft_exp4(high_total_max - high_max);
  low_sum += low_total * low_decay;
  high_sum += high_total * high_decay;
${forOutputs((r, q, component) => `  o${r}_${q} += total${r}_${q} * ${component.replace(".", "_decay.")};`)}
`;
  const body = `var<workgroup> lane_rows: array<vec4<f32>, ${lanes * rowQuads}>;

${subgroups ? reachWgsl(lanes) : ""}
@compute @workgroup_size(${threads})
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) counts: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,${
    subgroups
      ? `
  @builtin(subgroup_invocation_id) place: u32,
  @builtin(subgroup_size) size: u32,`
      : ""
  }
) {
  let block = workgroup_block(workgroup, counts);
  if (!block.exists) {
    return;
  }
  let lane = thread % ${lanes}u;
  let band = thread / ${lanes}u;
  let b = block.batch;
${grid.batch}  let first_row = ${grid.firstRow};
  let end_row = ${grid.endRow};
  let span = ${grid.span};
  let first_index = span.x;
  let last_index = span.y;
  let keys = ${grid.keys("block.split")};
${grid.map}
  let own = first_row + band * ${threadRows}u;
  let low_rows = ${grid.rowsOf("own")};
  let high_rows = ${grid.rowsOf("own + 4u")};
  let staged = ${grid.rowsOf(`first_row + (thread / ${threads / rowQuads}u) * 4u`)};
  let query_at = query_rows(b, staged);
  let kv_head = kv_head_of(block.head * params.stack);
  let key_at = ${headAddress("key", reads)};
  let value_at = ${headAddress("value", reads)};
  let first_column = block.slice * ${columns}u;
${repeat(quads, (q) =>
  reads.words
    ? `  let column${q} = vec4<u32>(min(first_column + ${q * 4 * lanes}u + lane * 4u, params.valueDim - 4u));`
    : `  let column${q} = min(vec4<u32>(first_column + ${q * 4 * lanes}u + lane * 4u) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.valueDim - 1u)) * params.valueColumn;`,
)}
${forOutputs((r, q) => `  var o${r}_${q} = vec4<f32>();`)}
  var low_max = vec4<f32>(lowest);
  var high_max = vec4<f32>(lowest);
  var low_sum = vec4<f32>();
  var high_sum = vec4<f32>();
${runs ? totals : ""}
${subgroups ? "  let reach = subgroup_reach(thread, place, size);\n" : ""}
  for (var tile = keys.x; tile < keys.y; tile += ${keys}) {
${own.visit("tile", "    ")}${runs ? newRun : ""}${grid.visibility("tile", keys, "    ")}    multiply_tile(thread, query_at, key_at, tile, keys${multiplyArguments(reads)});
    let masked = ${own.masked}(params.flags & flags_elementwise) != 0u || tile + ${keys} > keys.y
      || ${grid.partial("tile", keys)}
      || end_row < first_row + ${tileRows}u;
    // One bit for each of the thread's scores: sentinels in place of hidden ones would weigh 1 in a
    // row that sees nothing.
    var visible = 0xffffffffu;
    var low = vec4<f32>(lowest);
    var high = vec4<f32>(lowest);
    if (masked) {
      visible = 0u;
      for (var e = 0u; e < 8u; e++) {
        let key = lane * 4u + (e >> 1u);
        let upper = (e & 1u) != 0u;
        let slot = score_slot(key, band * 2u + (e & 1u));
        let s = cap4(tile_scores[slot]);
        let rows = Rows(
          select(low_rows.index, high_rows.index, upper),
          select(low_rows.head, high_rows.head, upper),
          select(low_rows.exists, high_rows.exists, vec4<bool>(upper)),${reads.gathered ? "\n          select(low_rows.position, high_rows.position, upper)," : ""}${own.hasValues ? "\n          choose_values(low_rows.values, high_rows.values, upper)," : ""}
        );
        let j = tile + i32(key);
        let logits = bias_and_visibility(s, batch, b, rows, vec4<u32>(u32(j)));
        let seen = logits.visible & vec4<bool>(j < keys.y);
        tile_scores[slot] = logits.s;
        let bits = select(vec4<u32>(), vec4<u32>(1u, 2u, 4u, 8u), seen);
        visible |= (bits.x | bits.y | bits.z | bits.w) << (e * 4u);
        let largest = select(vec4<f32>(lowest), logits.s, seen);
        low = max(low, select(largest, vec4<f32>(lowest), upper));
        high = max(high, select(vec4<f32>(lowest), largest, upper));
      }
    } else {
      for (var c = 0u; c < 4u; c++) {
        low = max(low, tile_scores[score_slot(lane * 4u + c, band * 2u)]);
        high = max(high, tile_scores[score_slot(lane * 4u + c, band * 2u + 1u)]);
      }
    }
${largestOfLanes(lanes, subgroups)}
    low = max(low, low_max);
    high = max(high, high_max);
    let low_decay = soft_exp4(low_max - low);
    let high_decay = soft_exp4(high_max - high);
    low_max = low;
    high_max = high;
    low_sum *= low_decay;
    high_sum *= high_decay;
${scaled ? ownScales : ""}    for (var e = 0u; e < 8u; e++) {
      let slot = score_slot(lane * 4u + (e >> 1u), band * 2u + (e & 1u));
      let upper = (e & 1u) != 0u;
      let bits = vec4<u32>(visible >> (e * 4u)) & vec4<u32>(1u, 2u, 4u, 8u);
      let weight = select(
        vec4<f32>(),
        soft_exp4(tile_scores[slot] - select(low, high, upper)),
        bits != vec4<u32>(),
      );
      tile_scores[slot] = ${scaled ? `select(vec4<f32>(), ${timesWeightFactor("weight", reads)} * value_scales[e >> 1u], bits != vec4<u32>())` : timesWeightFactor("weight", reads)};
      low_sum += select(weight, vec4<f32>(), upper);
      high_sum += select(vec4<f32>(), weight, upper);
    }
    workgroupBarrier();
${forOutputs((r, q, component) => `    o${r}_${q} *= ${component.replace(".", "_decay.")};`)}
    let last_key = u32(min(${keys}, keys.y - tile));
${reads.gathered ? "    var place = place_of(batch, u32(tile));\n" : ""}    for (var key = 0u; key < last_key; key++) {
      let low = tile_scores[score_slot(key, band * 2u)];
      let high = tile_scores[score_slot(key, band * 2u + 1u)];
${
  reads.gathered
    ? `      if ((params.flags & flag_pages) != 0u && place.y == params.pageSize) {
        place = place_of(batch, u32(tile) + key);
      }
      let at = value_row(value_at, place);
      place.y += 1u;
`
    : "      let at = value_at + (u32(tile) + key) * params.valueRow;\n"
}${repeat(
  quads,
  (q) => `      {
        let v = ${four(`column${q}`)};
        if (masked && not_finite4(v)) {
          // A row that does not see the key must not see its NaN either.
${forRows((r, component) => `          o${r}_${q} += select(${component} * v, vec4<f32>(), ${component} == 0.0);`)}
        } else {
${forRows((r, component) => `          o${r}_${q} += ${component} * v;`)}
        }
      }`,
)}
    }
  }
${runs ? lastRun : ""}
  workgroupBarrier();
  lane_rows[lane * ${rowQuads}u + band * 2u] = low_sum;
  lane_rows[lane * ${rowQuads}u + band * 2u + 1u] = high_sum;
  workgroupBarrier();
  low_sum = vec4<f32>();
  high_sum = vec4<f32>();
  for (var l = 0u; l < ${lanes}u; l++) {
    low_sum += lane_rows[l * ${rowQuads}u + band * 2u];
    high_sum += lane_rows[l * ${rowQuads}u + band * 2u + 1u];
  }
  let low = finish_rows(low_rows, b, block.split, low_max, low_sum, lane == 0u && block.slice == 0u);
  let high = finish_rows(high_rows, b, block.split, high_max, high_sum, lane == 0u && block.slice == 0u);

  // By way of workgroup memory, so that neighbours write neighbours.
${repeat(
  quads,
  (q) => `  workgroupBarrier();
${forRows((r, component) => `  tile_scores[(band * ${threadRows}u + ${r}u) * ${lanes}u + lane] = o${r}_${q} * ${component};`)}
  workgroupBarrier();
  store_columns(thread, block, first_row, end_row, first_column + ${q * 4 * lanes}u);`,
)}
}

fn store_columns(thread: u32, block: Block, first_row: u32, end_row: u32, first_column: u32) {
  let base = params.outputBase + block.split * params.outputSplit;
  for (var e = thread; e < ${tileRows * 4 * lanes}u; e += ${threads}u) {
    let row = first_row + e / ${4 * lanes}u;
    let column = first_column + e % ${4 * lanes}u;
    if (row < end_row && column < params.valueDim) {
${last.before}      let at = ${last.at};
      output[base + at * params.outputRow + column] = ${output}(tile_scores[e >> 2u][e & 3u]);
    }
  }
}
`;
  const name = attentionKernelName("tile", storage, [tileRows, keys, columns], {
    bias,
    output,
    variants: [subgroups && "subgroups", runs && "runs", ...readVariants(reads, storage)],
  });
  const features = [f16 && "f16", subgroups && "subgroups"];
  const fragments: Fragment[] = [
    gridFragment(reads),
    rulesFragment(reads.gathered),
    notFiniteFragment,
    logitsFragment(bias, reads),
    finishFragment(reads),
    productsFragment(lanes, storage, reads),
    ...readsFragments(reads, ["value"]),
  ];
  return emitKernel({
    name,
    features,
    params: paramsFor(reads),
    bindings,
    fragments: [flagsFragment, ...fragments],
    body,
  });
}

/**
 * How many lanes of a band a thread can reach in its subgroup, the same for the whole workgroup: all,
 * a quad, or itself alone. WGSL says neither how large subgroups are nor which threads form one, so
 * threads look: theirs must stand side by side, as they do in a band. What the slowest thread finds is
 * agreed on through \`tile_scores\`, which has nothing in it yet.
 */
function reachWgsl(lanes: Lanes): string {
  return `fn stand_together(thread: u32, place: u32, count: u32) -> bool {
  let first = subgroupShuffle(thread, place & ~(count - 1u));
  return first == (thread & ~(count - 1u)) && ((place ^ thread) & (count - 1u)) == 0u;
}
fn subgroup_reach(thread: u32, place: u32, size: u32) -> u32 {
  let quad = stand_together(thread, place, 4u);
  let all = stand_together(thread, place, ${lanes}u) && size >= ${lanes}u;
  tile_scores[thread] = vec4<f32>(select(select(1.0, 4.0, quad), ${lanes}.0, all && quad));
  workgroupBarrier();
  if (thread == 0u) {
    for (var other = 1u; other < ${tileThreads(lanes)}u; other++) {
      tile_scores[0] = min(tile_scores[0], tile_scores[other]);
    }
  }
  return u32(workgroupUniformLoad(&tile_scores[0]).x);
}`;
}

/** \`low\` and \`high\`, rows' maxima over a thread's own keys, become those over the tile's. */
function largestOfLanes(lanes: Lanes, subgroups: boolean): string {
  const rowQuads = tileRows / 4;
  const inMemory = (step: string): string => `    lane_rows[lane * ${rowQuads}u + band * 2u] = low;
    lane_rows[lane * ${rowQuads}u + band * 2u + 1u] = high;
    workgroupBarrier();
    for (var l = 0u; l < ${lanes}u; l += ${step}) {
      low = max(low, lane_rows[l * ${rowQuads}u + band * 2u]);
      high = max(high, lane_rows[l * ${rowQuads}u + band * 2u + 1u]);
    }`;
  if (!subgroups) return inMemory("1u");
  return `    for (var step = 1u; step < reach; step *= 2u) {
      low = max(low, subgroupShuffleXor(low, step));
      high = max(high, subgroupShuffleXor(high, step));
    }
    if (reach < ${lanes}u) {
${inMemory("reach")}
    }`;
}
