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
@group(0) @binding(2) var<storage, read> query: array<f32>;
@group(0) @binding(3) var<storage, read> key: array<f32>;
@group(0) @binding(4) var<storage, read> value: array<f32>;
@group(0) @binding(5) var<storage, read> mask: array<u32>;
@group(0) @binding(6) var<storage, read> bias: array<f32>;
@group(0) @binding(7) var<storage, read_write> output: array<f32>;
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
fn not_finite(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7f800000u) == 0x7f800000u;
}
fn not_finite4(v: vec4<f32>) -> bool {
  return any((bitcast<vec4<u32>>(v) & vec4<u32>(0x7f800000u)) == vec4<u32>(0x7f800000u));
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
      if (bitcast<u32>(biases[r]) == 0xff800000u) {
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
    let divisor = denominator * params.weightFactor;
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
var<workgroup> query_tile: array<vec4<f32>, 256>;
var<workgroup> key_tile: array<vec4<f32>, 128>;
var<workgroup> tile_scores: array<vec4<f32>, 512>;

fn query_slot(d: u32, quad: u32) -> u32 {
  return d * 16u + (quad ^ (((d >> 2u) & 3u) << 1u));
}
fn key_slot(d: u32, quad: u32) -> u32 {
  return d * 8u + (quad ^ ((d >> 1u) & 7u));
}
fn score_slot(key: u32, quad: u32) -> u32 {
  return key * 16u + (quad ^ (((key >> 2u) & 7u) << 1u));
}
/** Addresses of the four rows from `first` that this thread stages. */
fn query_rows(b: u32, rows: Rows) -> vec4<u32> {
  return params.queryBase + b * params.queryBatch + rows.head * params.queryHead
    + rows.index * params.queryRow;
}
/**
 * @param query_at addresses of the rows that this thread stages
 * @param key_at address of key 0 of the head
 * @param keys keys outside of it are not read
 */
fn multiply_tile(thread: u32, query_at: vec4<u32>, key_at: u32, tile: i32, keys: vec2<i32>) {
  let lane = thread % 8u;
  let band = thread / 8u;
  var s0 = vec4<f32>();
  var s1 = vec4<f32>();
  var s2 = vec4<f32>();
  var s3 = vec4<f32>();
  var s4 = vec4<f32>();
  var s5 = vec4<f32>();
  var s6 = vec4<f32>();
  var s7 = vec4<f32>();
  let query_quad = thread / 4u;
  let query_d = (thread % 4u) * 4u;
  let key_quad = thread / 8u;
  let key_d = (thread % 8u) * 2u;
  let j = vec4<i32>(tile + i32(key_quad) * 4) + vec4<i32>(0, 1, 2, 3);
  let readable = (j >= vec4<i32>(keys.x)) & (j < vec4<i32>(keys.y));
  let key_rows = vec4<u32>(key_at)
    + vec4<u32>(clamp(j, vec4<i32>(keys.x), vec4<i32>(keys.y - 1))) * params.keyRow;
  for (var start = 0u; start < params.headDim; start += 16u) {
    workgroupBarrier();
    for (var e = 0u; e < 4u; e++) {
      let d = query_d + e;
      var q = vec4<f32>();
      if (start + d < params.headDim) {
        let at = query_at + (start + d) * params.queryColumn;
        q = vec4<f32>(query[at.x], query[at.y], query[at.z], query[at.w]);
      }
      query_tile[query_slot(d, query_quad)] = q;
    }
    for (var e = 0u; e < 2u; e++) {
      let d = key_d + e;
      var k = vec4<f32>();
      if (start + d < params.headDim) {
        let at = key_rows + (start + d) * params.keyColumn;
        k = select(vec4<f32>(), vec4<f32>(key[at.x], key[at.y], key[at.z], key[at.w]), readable);
      }
      key_tile[key_slot(d, key_quad)] = k;
    }
    workgroupBarrier();
    let end = min(16u, params.headDim - start);
    for (var d = 0u; d < end; d++) {
      let q = vec4<f32>(query_tile[query_slot(d, band * 2u)]);
      let r = vec4<f32>(query_tile[query_slot(d, band * 2u + 1u)]);
      let k = vec4<f32>(key_tile[key_slot(d, lane)]);
      s0 += q.x * k;
      s4 += r.x * k;
      s1 += q.y * k;
      s5 += r.y * k;
      s2 += q.z * k;
      s6 += r.z * k;
      s3 += q.w * k;
      s7 += r.w * k;
    }
  }
  tile_scores[score_slot(lane * 4u + 0u, band * 2u + 0u)] = params.scale * vec4<f32>(s0.x, s1.x, s2.x, s3.x);
  tile_scores[score_slot(lane * 4u + 0u, band * 2u + 1u)] = params.scale * vec4<f32>(s4.x, s5.x, s6.x, s7.x);
  tile_scores[score_slot(lane * 4u + 1u, band * 2u + 0u)] = params.scale * vec4<f32>(s0.y, s1.y, s2.y, s3.y);
  tile_scores[score_slot(lane * 4u + 1u, band * 2u + 1u)] = params.scale * vec4<f32>(s4.y, s5.y, s6.y, s7.y);
  tile_scores[score_slot(lane * 4u + 2u, band * 2u + 0u)] = params.scale * vec4<f32>(s0.z, s1.z, s2.z, s3.z);
  tile_scores[score_slot(lane * 4u + 2u, band * 2u + 1u)] = params.scale * vec4<f32>(s4.z, s5.z, s6.z, s7.z);
  tile_scores[score_slot(lane * 4u + 3u, band * 2u + 0u)] = params.scale * vec4<f32>(s0.w, s1.w, s2.w, s3.w);
  tile_scores[score_slot(lane * 4u + 3u, band * 2u + 1u)] = params.scale * vec4<f32>(s4.w, s5.w, s6.w, s7.w);
}
var<workgroup> lane_rows: array<vec4<f32>, 128>;


@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) counts: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let block = workgroup_block(workgroup, counts);
  if (!block.exists) {
    return;
  }
  let lane = thread % 8u;
  let band = thread / 8u;
  let b = block.batch;
  let batch = batch_rules(b);
  let first_row = params.firstRow + block.tile * 64u;
  let end_row = min(params.endRow, first_row + 64u);
  let span = queries_of(first_row, end_row);
  let first_index = span.x;
  let last_index = span.y;
  let keys = visible_keys(batch, block.split, first_index, last_index);

  let own = first_row + band * 8u;
  let low_rows = rows_of(block.head, own);
  let high_rows = rows_of(block.head, own + 4u);
  let staged = rows_of(block.head, first_row + (thread / 4u) * 4u);
  let query_at = query_rows(b, staged);
  let kv_head = kv_head_of(block.head * params.stack);
  let key_at = params.keyBase + b * params.keyBatch + kv_head * params.keyHead;
  let value_at = params.valueBase + b * params.valueBatch + kv_head * params.valueHead;
  let first_column = block.slice * 32u;
  let column0 = min(vec4<u32>(first_column + 0u + lane * 4u) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.valueDim - 1u)) * params.valueColumn;
  var o0_0 = vec4<f32>();
  var o1_0 = vec4<f32>();
  var o2_0 = vec4<f32>();
  var o3_0 = vec4<f32>();
  var o4_0 = vec4<f32>();
  var o5_0 = vec4<f32>();
  var o6_0 = vec4<f32>();
  var o7_0 = vec4<f32>();
  var low_max = vec4<f32>(lowest);
  var high_max = vec4<f32>(lowest);
  var low_sum = vec4<f32>();
  var high_sum = vec4<f32>();


  for (var tile = keys.x; tile < keys.y; tile += 32) {
    multiply_tile(thread, query_at, key_at, tile, keys);
    let masked = (params.flags & flags_elementwise) != 0u || tile + 32 > keys.y
      || tile - last_index < batch.first || tile + 31 - first_index > batch.last
      || end_row < first_row + 64u;
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
          select(low_rows.exists, high_rows.exists, vec4<bool>(upper)),
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
    lane_rows[lane * 16u + band * 2u] = low;
    lane_rows[lane * 16u + band * 2u + 1u] = high;
    workgroupBarrier();
    for (var l = 0u; l < 8u; l += 1u) {
      low = max(low, lane_rows[l * 16u + band * 2u]);
      high = max(high, lane_rows[l * 16u + band * 2u + 1u]);
    }
    low = max(low, low_max);
    high = max(high, high_max);
    let low_decay = soft_exp4(low_max - low);
    let high_decay = soft_exp4(high_max - high);
    low_max = low;
    high_max = high;
    low_sum *= low_decay;
    high_sum *= high_decay;
    for (var e = 0u; e < 8u; e++) {
      let slot = score_slot(lane * 4u + (e >> 1u), band * 2u + (e & 1u));
      let upper = (e & 1u) != 0u;
      let bits = vec4<u32>(visible >> (e * 4u)) & vec4<u32>(1u, 2u, 4u, 8u);
      let weight = select(
        vec4<f32>(),
        soft_exp4(tile_scores[slot] - select(low, high, upper)),
        bits != vec4<u32>(),
      );
      tile_scores[slot] = weight * params.weightFactor;
      low_sum += select(weight, vec4<f32>(), upper);
      high_sum += select(vec4<f32>(), weight, upper);
    }
    workgroupBarrier();
    o0_0 *= low_decay.x;
    o1_0 *= low_decay.y;
    o2_0 *= low_decay.z;
    o3_0 *= low_decay.w;
    o4_0 *= high_decay.x;
    o5_0 *= high_decay.y;
    o6_0 *= high_decay.z;
    o7_0 *= high_decay.w;
    let last_key = u32(min(32, keys.y - tile));
    for (var key = 0u; key < last_key; key++) {
      let low = tile_scores[score_slot(key, band * 2u)];
      let high = tile_scores[score_slot(key, band * 2u + 1u)];
      let at = value_at + (u32(tile) + key) * params.valueRow;
      {
        let v = vec4<f32>(f32(value[at + column0.x]), f32(value[at + column0.y]), f32(value[at + column0.z]), f32(value[at + column0.w]));
        if (masked && not_finite4(v)) {
          // A row that does not see the key must not see its NaN either.
          o0_0 += select(low.x * v, vec4<f32>(), low.x == 0.0);
          o1_0 += select(low.y * v, vec4<f32>(), low.y == 0.0);
          o2_0 += select(low.z * v, vec4<f32>(), low.z == 0.0);
          o3_0 += select(low.w * v, vec4<f32>(), low.w == 0.0);
          o4_0 += select(high.x * v, vec4<f32>(), high.x == 0.0);
          o5_0 += select(high.y * v, vec4<f32>(), high.y == 0.0);
          o6_0 += select(high.z * v, vec4<f32>(), high.z == 0.0);
          o7_0 += select(high.w * v, vec4<f32>(), high.w == 0.0);
        } else {
          o0_0 += low.x * v;
          o1_0 += low.y * v;
          o2_0 += low.z * v;
          o3_0 += low.w * v;
          o4_0 += high.x * v;
          o5_0 += high.y * v;
          o6_0 += high.z * v;
          o7_0 += high.w * v;
        }
      }
    }
  }

  workgroupBarrier();
  lane_rows[lane * 16u + band * 2u] = low_sum;
  lane_rows[lane * 16u + band * 2u + 1u] = high_sum;
  workgroupBarrier();
  low_sum = vec4<f32>();
  high_sum = vec4<f32>();
  for (var l = 0u; l < 8u; l++) {
    low_sum += lane_rows[l * 16u + band * 2u];
    high_sum += lane_rows[l * 16u + band * 2u + 1u];
  }
  let low = finish_rows(low_rows, b, block.split, low_max, low_sum, lane == 0u && block.slice == 0u);
  let high = finish_rows(high_rows, b, block.split, high_max, high_sum, lane == 0u && block.slice == 0u);

  // By way of workgroup memory, so that neighbours write neighbours.
  workgroupBarrier();
  tile_scores[(band * 8u + 0u) * 8u + lane] = o0_0 * low.x;
  tile_scores[(band * 8u + 1u) * 8u + lane] = o1_0 * low.y;
  tile_scores[(band * 8u + 2u) * 8u + lane] = o2_0 * low.z;
  tile_scores[(band * 8u + 3u) * 8u + lane] = o3_0 * low.w;
  tile_scores[(band * 8u + 4u) * 8u + lane] = o4_0 * high.x;
  tile_scores[(band * 8u + 5u) * 8u + lane] = o5_0 * high.y;
  tile_scores[(band * 8u + 6u) * 8u + lane] = o6_0 * high.z;
  tile_scores[(band * 8u + 7u) * 8u + lane] = o7_0 * high.w;
  workgroupBarrier();
  store_columns(thread, block, first_row, end_row, first_column + 0u);
}

fn store_columns(thread: u32, block: Block, first_row: u32, end_row: u32, first_column: u32) {
  let base = params.outputBase + block.split * params.outputSplit;
  for (var e = thread; e < 2048u; e += 64u) {
    let row = first_row + e / 32u;
    let column = first_column + e % 32u;
    if (row < end_row && column < params.valueDim) {
      let stacked = row / params.queryLength;
      let head = block.head * params.stack + stacked;
      let at = (block.batch * params.queryHeads + head) * params.queryLength
        + row - stacked * params.queryLength;
      output[base + at * params.outputRow + column] = f32(tile_scores[e >> 2u][e & 3u]);
    }
  }
}
