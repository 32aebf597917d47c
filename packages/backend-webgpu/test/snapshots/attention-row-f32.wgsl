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
fn element_number(workgroup: vec3<u32>, counts: vec3<u32>, thread: u32) -> u32 {
  let number = params.firstWorkgroup + workgroup.x + counts.x * (workgroup.y + counts.y * workgroup.z);
  return number * 64u + thread;
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
@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) counts: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  // Slices of a row are neighbours, then rows, splits, heads and batches.
  var rest = element_number(workgroup, counts, thread);
  let first_column = (rest % params.slices) * 8u;
  rest /= params.slices;
  let rows = params.endRow - params.firstRow;
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
  let keys = visible_keys(batch, split, i32(i), i32(i));
  let row = Rows(vec4<u32>(i), vec4<u32>(h), vec4<bool>(true));
  let g = kv_head_of(h);
  let query_at = params.queryBase + b * params.queryBatch + h * params.queryHead + i * params.queryRow;
  let key_at = params.keyBase + b * params.keyBatch + g * params.keyHead;
  let value_at = params.valueBase + b * params.valueBatch + g * params.valueHead;
  let column0 = min(vec4<u32>(first_column + 0u) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.valueDim - 1u)) * params.valueColumn;
  let column1 = min(vec4<u32>(first_column + 4u) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.valueDim - 1u)) * params.valueColumn;
  var largest = lowest;
  var sum = 0.0;
  var o0 = vec4<f32>();
  var o1 = vec4<f32>();
  for (var first = keys.x; first < keys.y; first += 4) {
    // Past the last key, the last one is read again and hidden.
    let j = vec4<i32>(first) + vec4<i32>(0, 1, 2, 3);
    let readable = vec4<u32>(min(j, vec4<i32>(keys.y - 1)));
    let key_rows = vec4<u32>(key_at) + readable * params.keyRow;
    var s = vec4<f32>();
    for (var d = 0u; d < params.headDim; d++) {
      let at = key_rows + d * params.keyColumn;
      s += f32(query[query_at + d * params.queryColumn])
        * vec4<f32>(f32(key[at.x]), f32(key[at.y]), f32(key[at.z]), f32(key[at.w]));
    }
    s *= params.scale;
    let logits = bias_and_visibility(cap4(s), batch, b, row, readable);
    let visible = logits.visible & (j < vec4<i32>(keys.y));
    let seen = select(vec4<f32>(lowest), logits.s, visible);
    let before = largest;
    largest = max(largest, max(max(seen.x, seen.y), max(seen.z, seen.w)));
    let decay = soft_exp(before - largest);
    let weight = select(vec4<f32>(), soft_exp4(logits.s - largest), visible);
    sum = sum * decay + weight.x + weight.y + weight.z + weight.w;
    let factors = weight * params.weightFactor;
    o0 *= decay;
    o1 *= decay;
    for (var k = 0; k < 4; k++) {
      // A row that does not see the key must not see its NaN either.
      if (weight[k] > 0.0) {
        let at = value_at + readable[k] * params.valueRow;
        o0 += factors[k] * vec4<f32>(f32(value[at + column0.x]), f32(value[at + column0.y]), f32(value[at + column0.z]), f32(value[at + column0.w]));
        o1 += factors[k] * vec4<f32>(f32(value[at + column1.x]), f32(value[at + column1.y]), f32(value[at + column1.z]), f32(value[at + column1.w]));
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
  let factor = row_factor(decay / (sum * params.weightFactor), largest, empty);
  let at = (b * params.queryHeads + h) * params.queryLength + i;
  if (first_column == 0u && (params.flags & flag_logSumExp) != 0u) {
    store_statistics(
      params.statisticsBase + at * params.statisticsRow + split * params.statisticsSplit,
      largest, sum, empty && !has_sink);
  }
  let output_at = params.outputBase + at * params.outputRow + split * params.outputSplit;
  for (var c = 0u; c < 8u && first_column + c < params.valueDim; c++) {
    output[output_at + first_column + c] = f32(factor * select(o0[c & 3u], o1[c & 3u], c > 3u));
  }
}
