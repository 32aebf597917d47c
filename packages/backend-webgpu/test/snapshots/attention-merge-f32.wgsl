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
@group(0) @binding(2) var<storage, read> partials: array<f32>;
@group(0) @binding(3) var<storage, read> partialStatistics: array<u32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;
@group(0) @binding(5) var<storage, read_write> statistics: array<u32>;
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
/** −∞ as bits. */
const no_key = 0xff800000u;
const lowest = -3.4028234e38;
fn soft_exp(x: f32) -> f32 {
  return exp(select(x, -104.0, x < -104.0));
}
fn soft_exp4(x: vec4<f32>) -> vec4<f32> {
  return exp(select(x, vec4<f32>(-104.0), x < vec4<f32>(-104.0)));
}
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
fn row_factor(factor: f32, largest: f32, empty: bool) -> f32 {
  let finite = (bitcast<u32>(largest) & 0x7f800000u) != 0x7f800000u;
  let ended = select(factor, 0.0, empty);
  return bitcast<f32>(select(0x7fc00000u, bitcast<u32>(ended), finite));
}
@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) counts: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  // Elements of the dispatch are those of a range of rows.
  let element = element_number(workgroup, counts, thread);
  let row = params.firstRow + element / params.valueDim;
  if (row >= params.endRow) {
    return;
  }
  let column = element % params.valueDim;
  var statistic = merged_maximum(row, (row / params.queryLength) % params.queryHeads);
  var sum = 0.0;
  for (var part = 0u; part < params.count; part++) {
    let weight = part_weight(row, part, statistic.largest);
    statistic.sum += weight;
    if (weight > 0.0) {
      sum += weight * params.weightFactor * partials[params.partialsBase + row * params.partialsRow + part * params.valueDim + column];
    }
  }
  output[params.outputBase + row * params.valueDim + column] =
    f32(row_factor(sum / (statistic.sum * params.weightFactor), statistic.largest, statistic.empty));
  if (column == 0u && (params.flags & flag_logSumExp) != 0u) {
    statistics[params.statisticsBase + row] = select(
      bitcast<u32>(statistic.largest + log(statistic.sum)), no_key, statistic.empty && !statistic.has_sink);
  }
}
