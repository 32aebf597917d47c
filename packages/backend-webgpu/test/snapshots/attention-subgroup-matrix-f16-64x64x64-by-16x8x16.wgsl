enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);
struct Params {
  workgroups: u32,
  firstWorkgroup: u32,
  rowTiles: u32,
  slices: u32,
  splits: u32,
  heads: u32,
  firstBatch: u32,
  endBatch: u32,
  firstHead: u32,
  firstRow: u32,
  endRow: u32,
  firstKey: u32,
  endKey: u32,
  splitKeys: u32,
  keyGrain: u32,
  stack: u32,
  group: u32,
  batches: u32,
  queryHeads: u32,
  queryLength: u32,
  keyLength: u32,
  headDim: u32,
  valueDim: u32,
  flags: u32,
  scale: f32,
  softcap: f32,
  weightFactor: f32,
  queryBase: u32,
  queryBatch: u32,
  queryHead: u32,
  queryRow: u32,
  queryColumn: u32,
  keyBase: u32,
  keyBatch: u32,
  keyHead: u32,
  keyRow: u32,
  keyColumn: u32,
  valueBase: u32,
  valueBatch: u32,
  valueHead: u32,
  valueRow: u32,
  valueColumn: u32,
  maskBase: u32,
  maskBatch: u32,
  maskHead: u32,
  maskRow: u32,
  maskColumn: u32,
  biasBase: u32,
  biasBatch: u32,
  biasHead: u32,
  biasRow: u32,
  biasColumn: u32,
  outputBase: u32,
  outputRow: u32,
  outputSplit: u32,
  statisticsBase: u32,
  statisticsRow: u32,
  statisticsSplit: u32,
  matrixBase: u32,
  partialsBase: u32,
  partialsRow: u32,
  partialStatisticsBase: u32,
  count: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rules: array<vec4<i32>>;
@group(0) @binding(2) var<storage, read> query: array<f16>;
@group(0) @binding(3) var<storage, read> key: array<f16>;
@group(0) @binding(4) var<storage, read> value: array<f16>;
@group(0) @binding(5) var<storage, read> mask: array<u32>;
@group(0) @binding(6) var<storage, read> bias: array<f16>;
@group(0) @binding(7) var<storage, read_write> output: array<f16>;
@group(0) @binding(8) var<storage, read_write> statistics: array<u32>;
const flag_softcap = 1u;
const flag_bias = 2u;
const flag_alibi = 4u;
const flag_mask = 8u;
const flag_sinks = 16u;
const flag_logSumExp = 32u;
const flag_weights = 64u;
const flag_scores = 128u;
const flag_scoresCapped = 256u;
const flag_scoresBiased = 512u;
const flag_partial = 1024u;
const flags_elementwise = 15u;
struct Block {
  exists: bool,
  /** Indices in the whole problem. */
  batch: u32,
  head: u32,
  split: u32,
  slice: u32,
  tile: u32,
}
fn workgroup_block(id: vec3<u32>, counts: vec3<u32>) -> Block {
  let number = params.firstWorkgroup + id.x + counts.x * (id.y + counts.y * id.z);
  var rest = number;
  let tile = rest % params.rowTiles;
  rest /= params.rowTiles;
  let slice = rest % params.slices;
  rest /= params.slices;
  let split = rest % params.splits;
  rest /= params.splits;
  let head = params.firstHead + rest % params.heads;
  let batch = params.firstBatch + rest / params.heads;
  return Block(number < params.workgroups, batch, head, split, slice, tile);
}
struct Batch {
  keys: i32,
  first: i32,
  last: i32,
  offset: i32,
}
fn batch_rules(b: u32) -> Batch {
  let r = rules[b];
  return Batch(r.x, r.y, r.z, r.w);
}
fn head_rules(h: u32) -> vec4<i32> {
  return rules[params.batches + h];
}
/** The key head that a query head reads: query heads of a group are neighbours. */
fn kv_head_of(query_head: u32) -> u32 {
  return query_head / params.group;
}
/** Keys that some of the queries `first` to `last` sees, within the dispatch's and the split's. */
fn visible_keys(batch: Batch, split: u32, first: i32, last: i32) -> vec2<i32> {
  let split_first = i32(params.firstKey + split * params.splitKeys);
  let split_end = min(i32(params.endKey), split_first + i32(params.splitKeys));
  let seen_first = max(split_first, first + batch.first);
  // Tiles start at multiples of the grain, so that they do not depend on which rows share them.
  let start = seen_first - seen_first % i32(params.keyGrain);
  let end = min(min(split_end, batch.keys), last + batch.last + 1);
  return vec2<i32>(start, max(start, end));
}
struct Rows {
  /** Query index and query head of four rows; clamped to rows that exist. */
  index: vec4<u32>,
  head: vec4<u32>,
  exists: vec4<bool>,
}
/** Rows `first` to `first + 3` of a grid head. */
fn rows_of(grid_head: u32, first: u32) -> Rows {
  let row = vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u);
  let clamped = min(row, vec4<u32>(params.endRow - 1u));
  let length = vec4<u32>(params.queryLength);
  let stacked = clamped / length;
  let index = clamped - stacked * length;
  let head = vec4<u32>(grid_head * params.stack) + stacked;
  return Rows(
    index,
    head,
    row < vec4<u32>(params.endRow),
  );
}
/** The first and the last query of rows: of rows of several heads, any query may be among them. */
fn queries_of(first_row: u32, end_row: u32) -> vec2<i32> {
  let length = params.queryLength;
  if (first_row / length == (end_row - 1u) / length) {
    return vec2<i32>(i32(first_row % length), i32((end_row - 1u) % length));
  }
  return vec2<i32>(0, i32(length - 1u));
}
fn soft_exp(x: f32) -> f32 {
  return exp(select(x, -104.0, x < -104.0));
}
fn soft_exp4(x: vec4<f32>) -> vec4<f32> {
  return exp(select(x, vec4<f32>(-104.0), x < vec4<f32>(-104.0)));
}
struct Logits {
  s: vec4<f32>,
  visible: vec4<bool>,
  /** The bias is −∞, and so is what `s` would be. */
  infinite: vec4<bool>,
}
/**
 * tanh by its series where 1 − e^(−2x) would cancel, and by that elsewhere: the built-in function may
 * be off by 1e-5 and may overflow.
 */
fn tanh4(x: vec4<f32>) -> vec4<f32> {
  let square = x * x;
  let series = x * (1.0 + square * (-0.33333333 + square * (0.13333333 + square * (-0.053968254
    + square * (0.021869488 + square * -0.0088632355)))));
  let e = soft_exp4(-2.0 * abs(x));
  let ratio = sign(x) * (1.0 - e) / (1.0 + e);
  return select(ratio, series, abs(x) < vec4<f32>(0.3));
}
/** The scores under the cap; as they are if the problem has none. */
fn cap4(raw: vec4<f32>) -> vec4<f32> {
  var s = raw;
  if ((params.flags & flag_softcap) != 0u) {
    // Far below the cap, s stays itself: s / softcap may be too small for float32.
    let capped = params.softcap * tanh4(s / params.softcap);
    s = select(capped, s, abs(s) <= vec4<f32>(0.0001 * params.softcap));
  }
  return s;
}
fn bias_and_visibility(raw: vec4<f32>, batch: Batch, b: u32, rows: Rows, j: vec4<u32>) -> Logits {
  var s = raw;
  let distance = vec4<i32>(j) - vec4<i32>(rows.index);
  var visible = rows.exists
    & (distance >= vec4<i32>(batch.first)) & (distance <= vec4<i32>(batch.last))
    & (vec4<i32>(j) < vec4<i32>(batch.keys));
  var hidden = vec4<bool>();
  let key = min(j, vec4<u32>(params.keyLength - 1u));
  if ((params.flags & flag_bias) != 0u) {
    let at = params.biasBase + b * params.biasBatch + rows.head * params.biasHead
      + rows.index * params.biasRow + key * params.biasColumn;
    let biases = vec4<f32>(f32(bias[at.x]), f32(bias[at.y]), f32(bias[at.z]), f32(bias[at.w]));
    for (var r = 0; r < 4; r++) {
      if (bitcast<u32>(f32(biases[r])) == 0xff800000u) {
        hidden[r] = true;
      } else {
        s[r] += biases[r];
      }
    }
  }
  if ((params.flags & flag_alibi) != 0u) {
    let away = abs(vec4<f32>(distance) - vec4<f32>(f32(batch.offset)));
    for (var r = 0; r < 4; r++) {
      s[r] -= bitcast<f32>(head_rules(rows.head[r]).x) * away[r];
    }
  }
  if ((params.flags & flag_mask) != 0u) {
    let at = params.maskBase + b * params.maskBatch + rows.head * params.maskHead
      + rows.index * params.maskRow + key * params.maskColumn;
    for (var r = 0; r < 4; r++) {
      let byte = (mask[at[r] >> 2u] >> ((at[r] & 3u) * 8u)) & 0xffu;
      if (byte == 0u) {
        visible[r] = false;
      }
    }
  }
  return Logits(s, visible & !hidden, hidden);
}
const lowest = -3.4028234e38;
fn row_factor(factor: f32, largest: f32, empty: bool) -> f32 {
  let finite = (bitcast<u32>(largest) & 0x7f800000u) != 0x7f800000u;
  let ended = select(factor, 0.0, empty);
  return bitcast<f32>(select(0x7fc00000u, bitcast<u32>(ended), finite));
}
fn store_statistics(at: u32, largest: f32, sum: f32, empty: bool) {
  if ((params.flags & flag_partial) != 0u) {
    statistics[at] = select(bitcast<u32>(largest), 0xff800000u, empty);
    statistics[at + 1u] = bitcast<u32>(sum);
  } else {
    statistics[at] = select(bitcast<u32>(largest + log(sum)), 0xff800000u, empty);
  }
}
/** Stores log-sum-exps. @returns the factors of the outputs: 0 for empty rows */
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
    let divisor = denominator;
    factor[r] = row_factor(decay / divisor, largest, empty);
    if (store && rows.exists[r] && (params.flags & flag_logSumExp) != 0u) {
      let row = (b * params.queryHeads + h) * params.queryLength + rows.index[r];
      store_statistics(
        params.statisticsBase + row * params.statisticsRow + split * params.statisticsSplit,
        largest, denominator, empty && !has_sink);
    }
  }
  return factor;
}
alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 8, 16>;
alias Result = subgroup_matrix_result<f32, 8, 16>;

var<workgroup> query_tile: array<f16, 4608>;
/** Keys, then values of the same tile. */
var<workgroup> key_tile: array<f16, 2304>;
/** Products, with 4 elements after each row for what its threads tell each other. */
var<workgroup> products: array<f32, 2304>;
var<workgroup> weight_tile: array<f16, 2560>;
/** Whether a value of the tile is an infinity or not a number. */
var<workgroup> special: atomic<u32>;

fn stage_keys(thread: u32, at: u32, tile: i32, end: i32) {
  for (var e = thread; e < 2048u; e += 128u) {
    let row = e / 64u;
    let d = e % 64u;
    let j = tile + i32(row);
    var x = f16();
    if (d < params.headDim && j < end) {
      x = key[at + u32(j) * params.keyRow + d * params.keyColumn];
    }
    key_tile[row * 72u + d] = x;
  }
}
fn stage_values(thread: u32, at: u32, tile: i32, end: i32, first_column: u32) {
  var found = false;
  for (var e = thread; e < 2048u; e += 128u) {
    let row = e / 64u;
    let c = e % 64u;
    let j = tile + i32(row);
    var x = f16();
    if (first_column + c < params.valueDim && j < end) {
      x = value[at + u32(j) * params.valueRow + (first_column + c) * params.valueColumn];
    }
    found = found || (bitcast<u32>(vec2<f16>(x)) & 0x7c00u) == 0x7c00u;
    key_tile[row * 72u + c] = x;
  }
  if (found) {
    atomicStore(&special, 1u);
  }
}
/** A strip of queries by the tile's keys. */
fn multiply_keys(strip: u32) {
  var s0 = Result();
  var s1 = Result();
  var s2 = Result();
  var s3 = Result();
  for (var d = 0u; d < 64u; d += 16u) {
    let left = subgroupMatrixLoad<Left, row_major>(&query_tile, strip * 1152u + d, 72u);
    s0 = subgroupMatrixMultiplyAccumulate(left, subgroupMatrixLoad<Right, col_major>(&key_tile, 0u + d, 72u), s0);
    s1 = subgroupMatrixMultiplyAccumulate(left, subgroupMatrixLoad<Right, col_major>(&key_tile, 576u + d, 72u), s1);
    s2 = subgroupMatrixMultiplyAccumulate(left, subgroupMatrixLoad<Right, col_major>(&key_tile, 1152u + d, 72u), s2);
    s3 = subgroupMatrixMultiplyAccumulate(left, subgroupMatrixLoad<Right, col_major>(&key_tile, 1728u + d, 72u), s3);
  }
  subgroupMatrixStore<row_major>(&products, strip * 576u + 0u, s0, 36u);
  subgroupMatrixStore<row_major>(&products, strip * 576u + 8u, s1, 36u);
  subgroupMatrixStore<row_major>(&products, strip * 576u + 16u, s2, 36u);
  subgroupMatrixStore<row_major>(&products, strip * 576u + 24u, s3, 36u);
}
/** A strip of weights by 32 columns of the tile's values. */
fn multiply_values(strip: u32, first_column: u32) {
  var o0 = Result();
  var o1 = Result();
  var o2 = Result();
  var o3 = Result();
  for (var j = 0u; j < 32u; j += 16u) {
    let left = subgroupMatrixLoad<Left, row_major>(&weight_tile, strip * 640u + j, 40u);
    o0 = subgroupMatrixMultiplyAccumulate(left, subgroupMatrixLoad<Right, row_major>(&key_tile, j * 72u + first_column + 0u, 72u), o0);
    o1 = subgroupMatrixMultiplyAccumulate(left, subgroupMatrixLoad<Right, row_major>(&key_tile, j * 72u + first_column + 8u, 72u), o1);
    o2 = subgroupMatrixMultiplyAccumulate(left, subgroupMatrixLoad<Right, row_major>(&key_tile, j * 72u + first_column + 16u, 72u), o2);
    o3 = subgroupMatrixMultiplyAccumulate(left, subgroupMatrixLoad<Right, row_major>(&key_tile, j * 72u + first_column + 24u, 72u), o3);
  }
  subgroupMatrixStore<row_major>(&products, strip * 576u + 0u, o0, 36u);
  subgroupMatrixStore<row_major>(&products, strip * 576u + 8u, o1, 36u);
  subgroupMatrixStore<row_major>(&products, strip * 576u + 16u, o2, 36u);
  subgroupMatrixStore<row_major>(&products, strip * 576u + 24u, o3, 36u);
}

@compute @workgroup_size(128)
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
  let row = thread / 2u;
  let part = thread % 2u;
  let row_at = row * 36u + part;
  let shared_at = row * 36u + 32u;
  let b = block.batch;
  let batch = batch_rules(b);
  let first_row = params.firstRow + block.tile * 64u;
  let end_row = min(params.endRow, first_row + 64u);
  let span = queries_of(first_row, end_row);
  let first_index = span.x;
  let last_index = span.y;
  let keys = visible_keys(batch, block.split, first_index, last_index);
  let four = rows_of(block.head, first_row + row);
  let own = Rows(vec4<u32>(four.index.x), vec4<u32>(four.head.x), vec4<bool>(four.exists.x));
  let kv_head = kv_head_of(block.head * params.stack);
  let key_at = params.keyBase + b * params.keyBatch + kv_head * params.keyHead;
  let value_at = params.valueBase + b * params.valueBatch + kv_head * params.valueHead;
  let first_column = block.slice * 64u;

  let query_at = params.queryBase + b * params.queryBatch + own.head.x * params.queryHead
    + own.index.x * params.queryRow;
  for (var d = part; d < 64u; d += 2u) {
    var x = f16();
    if (d < params.headDim) {
      x = query[query_at + d * params.queryColumn];
    }
    query_tile[row * 72u + d] = x;
  }

  var o0_0 = vec4<f32>();
  var o0_1 = vec4<f32>();
  var o0_2 = vec4<f32>();
  var o0_3 = vec4<f32>();
  var o1_0 = vec4<f32>();
  var o1_1 = vec4<f32>();
  var o1_2 = vec4<f32>();
  var o1_3 = vec4<f32>();
  var largest = lowest;
  /** Sums over the thread's own keys: of weights, and of weights rounded to float16. */
  var sum = 0.0;
  var rounded_sum = 0.0;

  for (var tile = keys.x; tile < keys.y; tile += 32) {
    workgroupBarrier();
    stage_keys(thread, key_at, tile, keys.y);
    if (thread == 0u) {
      atomicStore(&special, 0u);
    }
    workgroupBarrier();
    for (var strip = own_subgroup; strip < 4u; strip += all_subgroups) {
      multiply_keys(strip);
    }
    workgroupBarrier();
    stage_values(thread, value_at, tile, keys.y, first_column);

    let masked = (params.flags & flags_elementwise) != 0u || tile + 32 > keys.y
      || tile - last_index < batch.first || tile + 31 - first_index > batch.last
      || end_row < first_row + 64u;
    // One bit for each of the thread's keys.
    var visible = 0xffffffffu;
    var best = lowest;
    if (masked) {
      visible = 0u;
      for (var quad = 0u; quad < 4u; quad++) {
        let offset = vec4<u32>(quad * 8u) + vec4<u32>(0u, 2u, 4u, 6u);
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
      for (var e = 0u; e < 16u; e++) {
        let s = params.scale * products[row_at + e * 2u];
        products[row_at + e * 2u] = s;
        best = max(best, s);
      }
    }
    products[shared_at + part] = best;
    let by_element = workgroupUniformLoad(&special) != 0u;
    for (var other = 0u; other < 2u; other++) {
      best = max(best, products[shared_at + other]);
    }
    best = max(best, largest);
    let decay = soft_exp(largest - best);
    largest = best;
    sum *= decay;
    rounded_sum *= decay;
    for (var e = 0u; e < 16u; e++) {
      let at = row_at + e * 2u;
      var weight = 0.0;
      if ((visible & (1u << e)) != 0u) {
        weight = soft_exp(products[at] - best);
      }
      let rounded = f16(weight * 0x1p15);
      weight_tile[row * 40u + part + e * 2u] = rounded;
      sum += weight;
      if (by_element) {
        products[at] = weight;
        rounded_sum += weight;
      } else {
        rounded_sum += f32(rounded) * 0x1p-15;
      }
    }
    workgroupBarrier();
    o0_0 *= decay;
    o0_1 *= decay;
    o0_2 *= decay;
    o0_3 *= decay;
    o1_0 *= decay;
    o1_1 *= decay;
    o1_2 *= decay;
    o1_3 *= decay;
    if (by_element) {
      for (var e = 0u; e < u32(min(32, keys.y - tile)); e++) {
        let weight = products[row * 36u + e];
        // A row that does not see the key must not see its NaN either.
        let hidden = masked && weight == 0.0;
        let at = e * 72u + part;
        o0_0 += select(weight * vec4<f32>(f32(key_tile[at + 0u + 0u]), f32(key_tile[at + 0u + 2u]), f32(key_tile[at + 0u + 4u]), f32(key_tile[at + 0u + 6u])), vec4<f32>(), hidden);
        o0_1 += select(weight * vec4<f32>(f32(key_tile[at + 0u + 8u]), f32(key_tile[at + 0u + 10u]), f32(key_tile[at + 0u + 12u]), f32(key_tile[at + 0u + 14u])), vec4<f32>(), hidden);
        o0_2 += select(weight * vec4<f32>(f32(key_tile[at + 0u + 16u]), f32(key_tile[at + 0u + 18u]), f32(key_tile[at + 0u + 20u]), f32(key_tile[at + 0u + 22u])), vec4<f32>(), hidden);
        o0_3 += select(weight * vec4<f32>(f32(key_tile[at + 0u + 24u]), f32(key_tile[at + 0u + 26u]), f32(key_tile[at + 0u + 28u]), f32(key_tile[at + 0u + 30u])), vec4<f32>(), hidden);
        o1_0 += select(weight * vec4<f32>(f32(key_tile[at + 32u + 0u]), f32(key_tile[at + 32u + 2u]), f32(key_tile[at + 32u + 4u]), f32(key_tile[at + 32u + 6u])), vec4<f32>(), hidden);
        o1_1 += select(weight * vec4<f32>(f32(key_tile[at + 32u + 8u]), f32(key_tile[at + 32u + 10u]), f32(key_tile[at + 32u + 12u]), f32(key_tile[at + 32u + 14u])), vec4<f32>(), hidden);
        o1_2 += select(weight * vec4<f32>(f32(key_tile[at + 32u + 16u]), f32(key_tile[at + 32u + 18u]), f32(key_tile[at + 32u + 20u]), f32(key_tile[at + 32u + 22u])), vec4<f32>(), hidden);
        o1_3 += select(weight * vec4<f32>(f32(key_tile[at + 32u + 24u]), f32(key_tile[at + 32u + 26u]), f32(key_tile[at + 32u + 28u]), f32(key_tile[at + 32u + 30u])), vec4<f32>(), hidden);
      }
    } else {
      for (var strip = own_subgroup; strip < 4u; strip += all_subgroups) {
        multiply_values(strip, 0u);
      }
      workgroupBarrier();
      o0_0 += 0x1p-15 * vec4<f32>(f32(products[row_at + 0u]), f32(products[row_at + 2u]), f32(products[row_at + 4u]), f32(products[row_at + 6u]));
      o0_1 += 0x1p-15 * vec4<f32>(f32(products[row_at + 8u]), f32(products[row_at + 10u]), f32(products[row_at + 12u]), f32(products[row_at + 14u]));
      o0_2 += 0x1p-15 * vec4<f32>(f32(products[row_at + 16u]), f32(products[row_at + 18u]), f32(products[row_at + 20u]), f32(products[row_at + 22u]));
      o0_3 += 0x1p-15 * vec4<f32>(f32(products[row_at + 24u]), f32(products[row_at + 26u]), f32(products[row_at + 28u]), f32(products[row_at + 30u]));
      workgroupBarrier();
      for (var strip = own_subgroup; strip < 4u; strip += all_subgroups) {
        multiply_values(strip, 32u);
      }
      workgroupBarrier();
      o1_0 += 0x1p-15 * vec4<f32>(f32(products[row_at + 0u]), f32(products[row_at + 2u]), f32(products[row_at + 4u]), f32(products[row_at + 6u]));
      o1_1 += 0x1p-15 * vec4<f32>(f32(products[row_at + 8u]), f32(products[row_at + 10u]), f32(products[row_at + 12u]), f32(products[row_at + 14u]));
      o1_2 += 0x1p-15 * vec4<f32>(f32(products[row_at + 16u]), f32(products[row_at + 18u]), f32(products[row_at + 20u]), f32(products[row_at + 22u]));
      o1_3 += 0x1p-15 * vec4<f32>(f32(products[row_at + 24u]), f32(products[row_at + 26u]), f32(products[row_at + 28u]), f32(products[row_at + 30u]));
    }
  }

  workgroupBarrier();
  products[row_at] = rounded_sum;
  products[shared_at + part] = sum;
  workgroupBarrier();
  rounded_sum = 0.0;
  sum = 0.0;
  for (var other = 0u; other < 2u; other++) {
    rounded_sum += products[row * 36u + other];
    sum += products[shared_at + other];
  }
  let once = Rows(own.index, own.head, vec4<bool>(own.exists.x, false, false, false));
  let exact = finish_rows(once, b, block.split, vec4<f32>(largest), vec4<f32>(sum), part == 0u && block.slice == 0u).x;
  let factor = select(exact * (sum / rounded_sum), 0.0, sum == 0.0);

  // By way of workgroup memory, so that neighbours write neighbours.
  workgroupBarrier();
  products[row_at + 0u] = factor * o0_0.x;
  products[row_at + 2u] = factor * o0_0.y;
  products[row_at + 4u] = factor * o0_0.z;
  products[row_at + 6u] = factor * o0_0.w;
  products[row_at + 8u] = factor * o0_1.x;
  products[row_at + 10u] = factor * o0_1.y;
  products[row_at + 12u] = factor * o0_1.z;
  products[row_at + 14u] = factor * o0_1.w;
  products[row_at + 16u] = factor * o0_2.x;
  products[row_at + 18u] = factor * o0_2.y;
  products[row_at + 20u] = factor * o0_2.z;
  products[row_at + 22u] = factor * o0_2.w;
  products[row_at + 24u] = factor * o0_3.x;
  products[row_at + 26u] = factor * o0_3.y;
  products[row_at + 28u] = factor * o0_3.z;
  products[row_at + 30u] = factor * o0_3.w;
  workgroupBarrier();
  store_columns(thread, block, first_row, end_row, first_column + 0u);
  workgroupBarrier();
  products[row_at + 0u] = factor * o1_0.x;
  products[row_at + 2u] = factor * o1_0.y;
  products[row_at + 4u] = factor * o1_0.z;
  products[row_at + 6u] = factor * o1_0.w;
  products[row_at + 8u] = factor * o1_1.x;
  products[row_at + 10u] = factor * o1_1.y;
  products[row_at + 12u] = factor * o1_1.z;
  products[row_at + 14u] = factor * o1_1.w;
  products[row_at + 16u] = factor * o1_2.x;
  products[row_at + 18u] = factor * o1_2.y;
  products[row_at + 20u] = factor * o1_2.z;
  products[row_at + 22u] = factor * o1_2.w;
  products[row_at + 24u] = factor * o1_3.x;
  products[row_at + 26u] = factor * o1_3.y;
  products[row_at + 28u] = factor * o1_3.z;
  products[row_at + 30u] = factor * o1_3.w;
  workgroupBarrier();
  store_columns(thread, block, first_row, end_row, first_column + 32u);
}

fn store_columns(thread: u32, block: Block, first_row: u32, end_row: u32, first_column: u32) {
  let base = params.outputBase + block.split * params.outputSplit;
  for (var e = thread; e < 2048u; e += 128u) {
    let row = first_row + e / 32u;
    let column = first_column + e % 32u;
    if (row < end_row && column < params.valueDim) {
      let stacked = row / params.queryLength;
      let head = block.head * params.stack + stacked;
      let at = (block.batch * params.queryHeads + head) * params.queryLength
        + row - stacked * params.queryLength;
      output[base + at * params.outputRow + column]
        = f16(products[e / 32u * 36u + e % 32u]);
    }
  }
}
