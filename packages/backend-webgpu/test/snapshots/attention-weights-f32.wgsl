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
@group(0) @binding(4) var<storage, read> mask: array<u32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read_write> weights: array<f32>;
@group(0) @binding(7) var<storage, read> partialStatistics: array<u32>;
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
/** −∞ as bits. */
const no_key = 0xff800000u;
const lowest = -3.4028234e38;
struct Statistics {
  largest: f32,
  /** The sink's weight, until the weights of the parts are added. */
  sum: f32,
  /** No key is seen. */
  empty: bool,
  has_sink: bool,
}
fn part_statistics(row: u32, part: u32) -> vec2<u32> {
  let at = params.partialStatisticsBase + 2u * (row * params.count + part);
  return vec2<u32>(partialStatistics[at], partialStatistics[at + 1u]);
}
/** The weight of a part; 0 where the row sees none of its keys. */
fn part_weight(row: u32, part: u32, largest: f32) -> f32 {
  let own = part_statistics(row, part);
  if (own.x == no_key) {
    return 0.0;
  }
  return soft_exp(bitcast<f32>(own.x) - largest) * bitcast<f32>(own.y);
}
fn merged_maximum(row: u32, head: u32) -> Statistics {
  let rule = head_rules(head);
  let has_sink = (params.flags & flag_sinks) != 0u && rule.z != 0;
  let sink = bitcast<f32>(rule.y);
  var empty = true;
  var largest = select(lowest, sink, has_sink);
  for (var part = 0u; part < params.count; part++) {
    let bits = part_statistics(row, part).x;
    if (bits != no_key) {
      empty = false;
      largest = max(largest, bitcast<f32>(bits));
    }
  }
  let sum = select(0.0, soft_exp(sink - largest), has_sink);
  return Statistics(largest, sum, empty, has_sink);
}
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
  let staged = rows_of(block.head, first_row + (thread / 4u) * 4u);
  let kv_head = kv_head_of(block.head * params.stack);
  let key_at = params.keyBase + b * params.keyBatch + kv_head * params.keyHead;
  let tile = i32(params.firstKey + block.slice * 32u);
  let end_key = min(i32(params.endKey), tile + 32);
  let keys = vec2<i32>(tile, min(end_key, batch.keys));
  // Keys past the batch's length do not exist: nothing of them is read.
  if (keys.x < keys.y) {
    multiply_tile(thread, query_rows(b, staged), key_at, tile, keys);
  }
  var largest: array<f32, 8>;
  var sum: array<f32, 8>;
  for (var own = 0u; own < 8u; own++) {
    let rows = rows_of(block.head, first_row + band * 8u + (own & 4u));
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
  for (var e = 0u; e < 8u; e++) {
    let key = lane * 4u + (e >> 1u);
    let j = tile + i32(key);
    let rows = rows_of(block.head, first_row + band * 8u + (e & 1u) * 4u);
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
      var weight = 0.0;
      if (exists && logits.visible[r]) {
        let own = (e & 1u) * 4u + u32(r);
        weight = soft_exp(logits.s[r] - largest[own]) / sum[own];
      }
      weights[at] = f32(weight);
    }
  }
}
