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
@compute @workgroup_size(4)
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
  let split = block.split * 4u + thread;
  let first_row = params.firstRow + block.tile * 4u;
  let end_row = min(params.endRow, first_row + 4u);
  let span = queries_of(first_row, end_row);
  let first_index = span.x;
  let last_index = span.y;
  let keys = visible_keys(batch, split, first_index, last_index);
  // Keys that all rows see, if there are no other rules.
  let full_first = last_index + batch.first;
  let full_last = first_index + batch.last;
  let elementwise = (params.flags & flags_elementwise) != 0u;

  let own = first_row;
  let kv_head = kv_head_of(block.head * params.stack);
  let key_at = params.keyBase + b * params.keyBatch + kv_head * params.keyHead;
  let value_at = params.valueBase + b * params.valueBatch + kv_head * params.valueHead;
  let key_column0 = min(0u, params.headDim - 1u) * params.keyColumn;
  let key_column1 = min(1u, params.headDim - 1u) * params.keyColumn;
  let key_column2 = min(2u, params.headDim - 1u) * params.keyColumn;
  let key_column3 = min(3u, params.headDim - 1u) * params.keyColumn;
  let key_column4 = min(4u, params.headDim - 1u) * params.keyColumn;
  let key_column5 = min(5u, params.headDim - 1u) * params.keyColumn;
  let key_column6 = min(6u, params.headDim - 1u) * params.keyColumn;
  let key_column7 = min(7u, params.headDim - 1u) * params.keyColumn;
  let key_column8 = min(8u, params.headDim - 1u) * params.keyColumn;
  let key_column9 = min(9u, params.headDim - 1u) * params.keyColumn;
  let key_column10 = min(10u, params.headDim - 1u) * params.keyColumn;
  let key_column11 = min(11u, params.headDim - 1u) * params.keyColumn;
  let key_column12 = min(12u, params.headDim - 1u) * params.keyColumn;
  let key_column13 = min(13u, params.headDim - 1u) * params.keyColumn;
  let key_column14 = min(14u, params.headDim - 1u) * params.keyColumn;
  let key_column15 = min(15u, params.headDim - 1u) * params.keyColumn;
  let value_column0 = min(0u, params.valueDim - 1u) * params.valueColumn;
  let value_column1 = min(1u, params.valueDim - 1u) * params.valueColumn;
  let value_column2 = min(2u, params.valueDim - 1u) * params.valueColumn;
  let value_column3 = min(3u, params.valueDim - 1u) * params.valueColumn;
  let value_column4 = min(4u, params.valueDim - 1u) * params.valueColumn;
  let value_column5 = min(5u, params.valueDim - 1u) * params.valueColumn;
  let value_column6 = min(6u, params.valueDim - 1u) * params.valueColumn;
  let value_column7 = min(7u, params.valueDim - 1u) * params.valueColumn;
  let value_column8 = min(8u, params.valueDim - 1u) * params.valueColumn;
  let value_column9 = min(9u, params.valueDim - 1u) * params.valueColumn;
  let value_column10 = min(10u, params.valueDim - 1u) * params.valueColumn;
  let value_column11 = min(11u, params.valueDim - 1u) * params.valueColumn;
  let value_column12 = min(12u, params.valueDim - 1u) * params.valueColumn;
  let value_column13 = min(13u, params.valueDim - 1u) * params.valueColumn;
  let value_column14 = min(14u, params.valueDim - 1u) * params.valueColumn;
  let value_column15 = min(15u, params.valueDim - 1u) * params.valueColumn;

  var q: array<vec4<f32>, 16>;
  for (var quad = 0u; quad < 1u; quad++) {
    let rows = rows_of(block.head, own + quad * 4u);
    let row = vec4<u32>(params.queryBase + b * params.queryBatch)
      + rows.head * params.queryHead + rows.index * params.queryRow;
    for (var d = 0u; d < params.headDim; d++) {
      let at = row + d * params.queryColumn;
      q[quad * 16u + d] = vec4<f32>(query[at.x], query[at.y], query[at.z], query[at.w]);
    }
  }
  // Sums over the run of keys that is walked over, and over the runs before it.
  var o: array<vec4<f32>, 16>;
  var total: array<vec4<f32>, 16>;
  var top0 = vec4<f32>(lowest);
  var sum0 = vec4<f32>();
  var total_top0 = vec4<f32>(lowest);
  var total_sum0 = vec4<f32>();
  var visible: array<vec4<bool>, 1>;
  visible[0] = vec4<bool>(true);

  var first = keys.x;
  while (first < keys.y) {
    let end_of_run = min(keys.y, (first / 1024 + 1) * 1024);
    for (; first < end_of_run; first += 1) {
      // Past the last key, the last one is read again and hidden.
      let j0 = u32(min(first + 0, keys.y - 1));
      var s: array<vec4<f32>, 1>;
      {
        let row0 = key_at + j0 * params.keyRow;
        var s0 = vec4<f32>();
        {
          {
            let x = select(key[row0 + key_column0], 0.0, 0u >= params.headDim);
            s0 += x * q[0];
          }
          {
            let x = select(key[row0 + key_column1], 0.0, 1u >= params.headDim);
            s0 += x * q[1];
          }
          {
            let x = select(key[row0 + key_column2], 0.0, 2u >= params.headDim);
            s0 += x * q[2];
          }
          {
            let x = select(key[row0 + key_column3], 0.0, 3u >= params.headDim);
            s0 += x * q[3];
          }
        }
        {
          {
            let x = select(key[row0 + key_column4], 0.0, 4u >= params.headDim);
            s0 += x * q[4];
          }
          {
            let x = select(key[row0 + key_column5], 0.0, 5u >= params.headDim);
            s0 += x * q[5];
          }
          {
            let x = select(key[row0 + key_column6], 0.0, 6u >= params.headDim);
            s0 += x * q[6];
          }
          {
            let x = select(key[row0 + key_column7], 0.0, 7u >= params.headDim);
            s0 += x * q[7];
          }
        }
        {
          {
            let x = select(key[row0 + key_column8], 0.0, 8u >= params.headDim);
            s0 += x * q[8];
          }
          {
            let x = select(key[row0 + key_column9], 0.0, 9u >= params.headDim);
            s0 += x * q[9];
          }
          {
            let x = select(key[row0 + key_column10], 0.0, 10u >= params.headDim);
            s0 += x * q[10];
          }
          {
            let x = select(key[row0 + key_column11], 0.0, 11u >= params.headDim);
            s0 += x * q[11];
          }
        }
        {
          {
            let x = select(key[row0 + key_column12], 0.0, 12u >= params.headDim);
            s0 += x * q[12];
          }
          {
            let x = select(key[row0 + key_column13], 0.0, 13u >= params.headDim);
            s0 += x * q[13];
          }
          {
            let x = select(key[row0 + key_column14], 0.0, 14u >= params.headDim);
            s0 += x * q[14];
          }
          {
            let x = select(key[row0 + key_column15], 0.0, 15u >= params.headDim);
            s0 += x * q[15];
          }
        }
        s[0] = s0 * params.scale;
      }
      let masked = elementwise || first < full_first || first + 0 > full_last
        || first + 1 > keys.y;
      for (var pair = 0u; masked && pair < 1u; pair++) {
        let j = first + i32(pair / 1u);
        let rows = rows_of(block.head, own + pair % 1u * 4u);
        let logits = bias_and_visibility(cap4(s[pair]), batch, b, rows, vec4<u32>(u32(min(j, keys.y - 1))));
        let seen = logits.visible & vec4<bool>(j < keys.y);
        s[pair] = select(vec4<f32>(lowest), logits.s, seen);
        visible[pair] = seen;
      }
      let best0 = s[0];
      let above0 = best0 > top0 + 8.0;
      if (any(above0)) {
        let decay0 = select(vec4<f32>(1.0), soft_exp4(top0 - best0), above0);
        top0 = select(top0, best0, above0);
        sum0 *= decay0;
        for (var c = 0u; c < 16u; c++) {
          o[0u + c] *= decay0;
        }
      }
      var p: array<vec4<f32>, 1>;
      let weight0 = select(vec4<f32>(), soft_exp4(s[0] - top0), visible[0]);
      sum0 += weight0;
      p[0] = weight0 * params.weightFactor;
      // A row that does not see a key must not see its NaN either: such a key goes element by element.
      var skipped = 0u;
      for (var k = 0u; masked && k < 1u; k++) {
        let row = value_at + u32(min(first + i32(k), keys.y - 1)) * params.valueRow;
        var skip = false;
        for (var c = 0u; c < params.valueDim; c++) {
          skip = skip || not_finite(value[row + c * params.valueColumn]);
        }
        for (var quad = 0u; quad < 1u; quad++) {
          let weight = p[k * 1u + quad];
          for (var c = 0u; skip && c < params.valueDim; c++) {
            let v = value[row + c * params.valueColumn];
            o[quad * 16u + c] += select(weight * v, vec4<f32>(), weight == vec4<f32>());
          }
          visible[k * 1u + quad] = vec4<bool>(true);
        }
        skipped |= u32(skip) << k;
      }
      {
        let row0 = value_at + j0 * params.valueRow;
        let skip0 = (skipped & 1u) != 0u;
        {
          {
            let v0 = select(value[row0 + value_column0], 0.0, 0u >= params.valueDim || skip0);
            o[0] += v0 * p[0];
          }
          {
            let v0 = select(value[row0 + value_column1], 0.0, 1u >= params.valueDim || skip0);
            o[1] += v0 * p[0];
          }
          {
            let v0 = select(value[row0 + value_column2], 0.0, 2u >= params.valueDim || skip0);
            o[2] += v0 * p[0];
          }
          {
            let v0 = select(value[row0 + value_column3], 0.0, 3u >= params.valueDim || skip0);
            o[3] += v0 * p[0];
          }
        }
        {
          {
            let v0 = select(value[row0 + value_column4], 0.0, 4u >= params.valueDim || skip0);
            o[4] += v0 * p[0];
          }
          {
            let v0 = select(value[row0 + value_column5], 0.0, 5u >= params.valueDim || skip0);
            o[5] += v0 * p[0];
          }
          {
            let v0 = select(value[row0 + value_column6], 0.0, 6u >= params.valueDim || skip0);
            o[6] += v0 * p[0];
          }
          {
            let v0 = select(value[row0 + value_column7], 0.0, 7u >= params.valueDim || skip0);
            o[7] += v0 * p[0];
          }
        }
        {
          {
            let v0 = select(value[row0 + value_column8], 0.0, 8u >= params.valueDim || skip0);
            o[8] += v0 * p[0];
          }
          {
            let v0 = select(value[row0 + value_column9], 0.0, 9u >= params.valueDim || skip0);
            o[9] += v0 * p[0];
          }
          {
            let v0 = select(value[row0 + value_column10], 0.0, 10u >= params.valueDim || skip0);
            o[10] += v0 * p[0];
          }
          {
            let v0 = select(value[row0 + value_column11], 0.0, 11u >= params.valueDim || skip0);
            o[11] += v0 * p[0];
          }
        }
        {
          {
            let v0 = select(value[row0 + value_column12], 0.0, 12u >= params.valueDim || skip0);
            o[12] += v0 * p[0];
          }
          {
            let v0 = select(value[row0 + value_column13], 0.0, 13u >= params.valueDim || skip0);
            o[13] += v0 * p[0];
          }
          {
            let v0 = select(value[row0 + value_column14], 0.0, 14u >= params.valueDim || skip0);
            o[14] += v0 * p[0];
          }
          {
            let v0 = select(value[row0 + value_column15], 0.0, 15u >= params.valueDim || skip0);
            o[15] += v0 * p[0];
          }
        }
      }
    }
    let decay0 = soft_exp4(total_top0 - top0);
    total_top0 = top0;
    total_sum0 = total_sum0 * decay0 + sum0;
    sum0 = vec4<f32>();
    for (var c = 0u; c < 16u; c++) {
      total[c] = total[c] * decay0 + o[c];
      o[c] = vec4<f32>();
    }
  }

  {
    let rows = rows_of(block.head, own + 0u);
    let factor = finish_rows(rows, b, split, total_top0, total_sum0, true);
    let at = (b * params.queryHeads + rows.head) * params.queryLength + rows.index;
    for (var c = 0u; c < params.valueDim; c++) {
      let values = total[0u + c] * factor;
      for (var r = 0; r < 4; r++) {
        if (rows.exists[r]) {
          output[params.outputBase + split * params.outputSplit + at[r] * params.outputRow + c] = f32(values[r]);
        }
      }
    }
  }
}
