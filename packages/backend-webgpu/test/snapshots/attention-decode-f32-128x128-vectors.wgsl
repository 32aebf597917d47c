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
@group(0) @binding(3) var<storage, read> key: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> value: array<vec4<f32>>;
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
var<workgroup> queries: array<vec4<f32>, 256>;
/** Partial products of each key by its four threads, four rows to an element; then weights, in the place of the first thread's. */
var<workgroup> products: array<vec4<f32>, 512>;
var<workgroup> tops: array<vec4<f32>, 16>;
var<workgroup> exchange: array<vec4<f32>, 128>;

fn key_four(row: u32, first: u32) -> vec4<f32> {
  return select(vec4<f32>(), vec4<f32>(key[(row + min(first, params.headDim - 4u)) >> 2u]), first < params.headDim);
}
fn value_four(row: u32, first: u32) -> vec4<f32> {
  return select(vec4<f32>(), vec4<f32>(value[(row + min(first, params.valueDim - 4u)) >> 2u]), first < params.valueDim);
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
  let b = block.batch;
  let batch = batch_rules(b);
  let first_row = params.firstRow + block.tile * 8u;
  let end_row = min(params.endRow, first_row + 8u);
  let span = queries_of(first_row, end_row);
  let first_index = span.x;
  let last_index = span.y;
  let keys = visible_keys(batch, block.split, first_index, last_index);
  let low_rows = rows_of(block.head, first_row);
  let high_rows = rows_of(block.head, first_row + 4u);
  let kv_head = kv_head_of(block.head * params.stack);
  let key_at = params.keyBase + b * params.keyBatch + kv_head * params.keyHead;
  let value_at = params.valueBase + b * params.valueBatch + kv_head * params.valueHead;
  let sharer = thread & 3u;
  let column = block.slice * 128u + (thread % 32u) * 4u;
  let turn = thread / 32u;

  for (var e = thread; e < 256u; e += 64u) {
    let row = rows_of(block.head, first_row + e / 32u);
    let at = params.queryBase + b * params.queryBatch + row.head.x * params.queryHead
      + row.index.x * params.queryRow;
    var q = vec4<f32>();
    for (var i = 0u; i < 4u; i++) {
      let d = (e % 32u) * 4u + i;
      if (d < params.headDim) {
        q[i] = f32(query[at + d * params.queryColumn]);
      }
    }
    queries[e] = q;
  }
  workgroupBarrier();

  var o0 = vec4<f32>();
  var o1 = vec4<f32>();
  var o2 = vec4<f32>();
  var o3 = vec4<f32>();
  var o4 = vec4<f32>();
  var o5 = vec4<f32>();
  var o6 = vec4<f32>();
  var o7 = vec4<f32>();
  var low_top = vec4<f32>(lowest);
  var high_top = vec4<f32>(lowest);
  var low_sum = vec4<f32>();
  var high_sum = vec4<f32>();
  for (var tile = keys.x; tile < keys.y; tile += 64) {
    for (var k = thread / 4u; k < 64u; k += 16u) {
      var s0 = vec4<f32>();
      var s1 = vec4<f32>();
      var s2 = vec4<f32>();
      var s3 = vec4<f32>();
      var s4 = vec4<f32>();
      var s5 = vec4<f32>();
      var s6 = vec4<f32>();
      var s7 = vec4<f32>();
      let j = tile + i32(k);
      if (j < keys.y) {
        let row = key_at + u32(j) * params.keyRow;
        for (var d = sharer; d * 4u < params.headDim; d += 4u) {
          let x = key_four(row, d * 4u);
          s0 += x * queries[0u + d];
          s1 += x * queries[32u + d];
          s2 += x * queries[64u + d];
          s3 += x * queries[96u + d];
          s4 += x * queries[128u + d];
          s5 += x * queries[160u + d];
          s6 += x * queries[192u + d];
          s7 += x * queries[224u + d];
        }
      }
      let slot = (sharer * 64u + k) * 2u;
      let one = vec4<f32>(1.0);
      products[slot] = vec4<f32>(dot(s0, one), dot(s1, one), dot(s2, one), dot(s3, one));
      products[slot + 1u] = vec4<f32>(dot(s4, one), dot(s5, one), dot(s6, one), dot(s7, one));
    }
    workgroupBarrier();
    var low = vec4<f32>();
    var high = vec4<f32>();
    for (var other = 0u; other < 4u; other++) {
      low += products[(other * 64u + thread) * 2u];
      high += products[(other * 64u + thread) * 2u + 1u];
    }
    low *= params.scale;
    high *= params.scale;
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
    products[thread * 2u] = low_weight * params.weightFactor;
    products[thread * 2u + 1u] = high_weight * params.weightFactor;
    workgroupBarrier();
    // The tile's sums by themselves, since long float32 sums of nearly equal terms drift.
    var t0 = vec4<f32>();
    var t1 = vec4<f32>();
    var t2 = vec4<f32>();
    var t3 = vec4<f32>();
    var t4 = vec4<f32>();
    var t5 = vec4<f32>();
    var t6 = vec4<f32>();
    var t7 = vec4<f32>();
    let count = u32(min(64, keys.y - tile));
    for (var k = turn; k < count; k += 2u) {
      let v = value_four(value_at + (u32(tile) + k) * params.valueRow, column);
      let low = products[k * 2u];
      let high = products[k * 2u + 1u];
      if (not_finite4(v)) {
        // A row that does not see the key must not see its NaN either.
        t0 += select(low.x * v, vec4<f32>(), low.x == 0.0);
        t1 += select(low.y * v, vec4<f32>(), low.y == 0.0);
        t2 += select(low.z * v, vec4<f32>(), low.z == 0.0);
        t3 += select(low.w * v, vec4<f32>(), low.w == 0.0);
        t4 += select(high.x * v, vec4<f32>(), high.x == 0.0);
        t5 += select(high.y * v, vec4<f32>(), high.y == 0.0);
        t6 += select(high.z * v, vec4<f32>(), high.z == 0.0);
        t7 += select(high.w * v, vec4<f32>(), high.w == 0.0);
      } else {
        t0 += low.x * v;
        t1 += low.y * v;
        t2 += low.z * v;
        t3 += low.w * v;
        t4 += high.x * v;
        t5 += high.y * v;
        t6 += high.z * v;
        t7 += high.w * v;
      }
    }
    o0 = o0 * low_decay.x + t0;
    o1 = o1 * low_decay.y + t1;
    o2 = o2 * low_decay.z + t2;
    o3 = o3 * low_decay.w + t3;
    o4 = o4 * high_decay.x + t4;
    o5 = o5 * high_decay.y + t5;
    o6 = o6 * high_decay.z + t6;
    o7 = o7 * high_decay.w + t7;
    workgroupBarrier();
  }

  // Sums over the threads' keys, in order; then outputs over the turns.
  exchange[thread * 2u] = low_sum;
  exchange[thread * 2u + 1u] = high_sum;
  workgroupBarrier();
  low_sum = vec4<f32>();
  high_sum = vec4<f32>();
  for (var other = 0u; other < 64u; other++) {
    low_sum += exchange[other * 2u];
    high_sum += exchange[other * 2u + 1u];
  }
  let store = thread == 0u && block.slice == 0u;
  let low = finish_rows(low_rows, b, block.split, low_top, low_sum, store);
  let high = finish_rows(high_rows, b, block.split, high_top, high_sum, store);
  workgroupBarrier();
  exchange[thread] = o0 * low.x;
  workgroupBarrier();
  store_row(thread, block, first_row + 0u, end_row, column);
  workgroupBarrier();
  exchange[thread] = o1 * low.y;
  workgroupBarrier();
  store_row(thread, block, first_row + 1u, end_row, column);
  workgroupBarrier();
  exchange[thread] = o2 * low.z;
  workgroupBarrier();
  store_row(thread, block, first_row + 2u, end_row, column);
  workgroupBarrier();
  exchange[thread] = o3 * low.w;
  workgroupBarrier();
  store_row(thread, block, first_row + 3u, end_row, column);
  workgroupBarrier();
  exchange[thread] = o4 * high.x;
  workgroupBarrier();
  store_row(thread, block, first_row + 4u, end_row, column);
  workgroupBarrier();
  exchange[thread] = o5 * high.y;
  workgroupBarrier();
  store_row(thread, block, first_row + 5u, end_row, column);
  workgroupBarrier();
  exchange[thread] = o6 * high.z;
  workgroupBarrier();
  store_row(thread, block, first_row + 6u, end_row, column);
  workgroupBarrier();
  exchange[thread] = o7 * high.w;
  workgroupBarrier();
  store_row(thread, block, first_row + 7u, end_row, column);
}

fn store_row(thread: u32, block: Block, row: u32, end_row: u32, column: u32) {
  if (row >= end_row || thread >= 32u) {
    return;
  }
  var sum = exchange[thread];
  for (var turn = 1u; turn < 2u; turn++) {
    sum += exchange[turn * 32u + thread];
  }
  let stacked = row / params.queryLength;
  let head = block.head * params.stack + stacked;
  let at = (block.batch * params.queryHeads + head) * params.queryLength
    + row - stacked * params.queryLength;
  let base = params.outputBase + at * params.outputRow + block.split * params.outputSplit + column;
  for (var i = 0u; i < 4u && column + i < params.valueDim; i++) {
    output[base + i] = f32(sum[i]);
  }
}
