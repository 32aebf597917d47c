import type { Fragment } from "../../wgsl/emit.js";
import { gatheredFlagsFragment } from "../params.js";
import { rowValuesFragment } from "../programs/fragment.js";
import { hasMap } from "../programs/kernel-programs.js";
import { programText } from "../programs/kernel-text.js";
import type { GridReads, Reads } from "./reads.js";

/** Vectors of four integers in \`rules\` for each sequence and each item; see \`encodeGathered\`. */
export const sequenceVectors = 3;
export const itemVectors = 2;

/** Keys for which \`rules\` has the smallest and the largest position; tiles are not larger. */
export const spanKeys = 64;

/**
 * Which keys a query sees, where a batch is ragged, keys are in pages or positions are data. \`rules\` has
 * three vectors for each sequence, then one for each query head as in \`rulesFragment\`, then the lists of
 * items that workgroups take (see \`gatheredGridFragment\`), and then integers: page tables, positions, and
 * for every ${spanKeys} keys the smallest and the largest position. Indices of keys count within a sequence.
 */
export const gatheredRulesFragment: Fragment = {
  needs: [gatheredFlagsFragment],
  wgsl: `struct Batch {
  /** Keys that exist; the band of keys that a query sees, or, if positions are data, how far it sees to both sides. */
  keys: i32,
  first: i32,
  last: i32,
  offset: i32,
  /** The sequence's first rows in queries and in keys, and the batch entry that both are in. */
  first_query: u32,
  first_key: u32,
  entry: u32,
  /** Indices of the sequence's integers. */
  pages: u32,
  query_positions: u32,
  key_positions: u32,
  /** Index into the spans of the row of positions, counted from its first key. */
  spans: u32,
}
fn batch_rules(sequence: u32) -> Batch {
  let r = rules[${sequenceVectors}u * sequence];
  let place = bitcast<vec4<u32>>(rules[${sequenceVectors}u * sequence + 1u]);
  let tables = bitcast<vec4<u32>>(rules[${sequenceVectors}u * sequence + 2u]);
  return Batch(r.x, r.y, r.z, r.w, place.x, place.y, place.z, place.w, tables.x, tables.y, tables.z);
}
fn head_rules(h: u32) -> vec4<i32> {
  return rules[params.batches + h];
}
/** The key head that a query head reads: query heads of a group are neighbours. */
fn kv_head_of(query_head: u32) -> u32 {
  return query_head / params.group;
}
fn integer(at: u32) -> i32 {
  return rules[at >> 2u][at & 3u];
}
/** The batch entry or page that a key is in, and its row there. */
fn place_of(batch: Batch, j: u32) -> vec2<u32> {
  if ((params.flags & flag_pages) == 0u) {
    return vec2<u32>(batch.entry, batch.first_key + j);
  }
  let page = j / params.pageSize;
  return vec2<u32>(u32(integer(batch.pages + page)), j - page * params.pageSize);
}
/** Whether a query at position p sees a key at position k, as far as keys after it and before it go. */
fn sees_after(batch: Batch, p: i32, k: i32) -> bool {
  return k <= p || bitcast<u32>(k) - bitcast<u32>(p) <= bitcast<u32>(batch.last);
}
fn sees_before(batch: Batch, p: i32, k: i32) -> bool {
  return k >= p || bitcast<u32>(p) - bitcast<u32>(k) <= bitcast<u32>(batch.first);
}
const tile_hidden = 0u;
const tile_partial = 1u;
const tile_full = 2u;
/**
 * How much of at most ${spanKeys} keys queries see, as far as the band says.
 *
 * @param span smallest and largest position of the queries
 */
fn tile_visibility(batch: Batch, span: vec2<i32>, first: i32, count: i32) -> u32 {
  if ((params.flags & flag_positions) == 0u) {
    let full = first - span.y >= batch.first && first + count - 1 - span.x <= batch.last;
    return select(tile_partial, tile_full, full);
  }
  let start = batch.first_key + u32(first);
  let low = batch.spans + 2u * (start / ${spanKeys}u);
  let high = batch.spans + 2u * ((start + u32(min(count, batch.keys - first)) - 1u) / ${spanKeys}u);
  let smallest = min(integer(low), integer(high));
  let largest = max(integer(low + 1u), integer(high + 1u));
  if (!sees_after(batch, span.y, smallest) || !sees_before(batch, span.x, largest)) {
    return tile_hidden;
  }
  let full = sees_after(batch, span.x, largest) && sees_before(batch, span.y, smallest);
  return select(tile_partial, tile_full, full);
}`,
};

/**
 * Which part of the problem a workgroup computes: the rows of an item of the dispatch's list. There are as
 * many workgroups as a call may have items; those without one leave. Rows of an item are those of all heads
 * of a group, query by query: see \`WorkGrid\` of core.
 *
 * @param mapped whether blocks have the number of their item
 */
export function gatheredGridFragment(mapped: boolean): Fragment {
  return {
    needs: [gatheredRulesFragment],
    wgsl: `struct Block {
  exists: bool,
  /** Indices in the whole problem. */
  batch: u32,
  head: u32,
  split: u32,
  slice: u32,
  sequence: u32,
  first_query: u32,
  /** Rows, which count within the sequence. */
  first_row: u32,
  end_row: u32,
  /** Keys outside of which no row sees anything. */
  keys: vec2<i32>,
  /** Smallest and largest position of the rows. */
  span: vec2<i32>,
${mapped ? "  item: u32,\n" : ""}}
fn item_block(exists: bool, item: u32, head: u32, split: u32, slice: u32) -> Block {
  let rows = rules[params.items + ${itemVectors}u * item];
  let seen = rules[params.items + ${itemVectors}u * item + 1u];
  let sequence = u32(max(rows.x, 0));
  let place = bitcast<vec4<u32>>(rules[${sequenceVectors}u * sequence + 1u]);
  return Block(exists && rows.x >= 0, place.z, head, split, slice, sequence, place.x,
    u32(rows.y), u32(rows.z), seen.xy, seen.zw${mapped ? ", item" : ""});
}
fn workgroup_block(id: vec3<u32>, counts: vec3<u32>) -> Block {
  let number = params.firstWorkgroup + id.x + counts.x * (id.y + counts.y * id.z);
  var rest = number;
  let item = rest % params.rowTiles;
  rest /= params.rowTiles;
  let slice = rest % params.slices;
  rest /= params.slices;
  let split = rest % params.splits;
  let head = params.firstHead + rest / params.splits;
  return item_block(number < params.workgroups, item, head, split, slice);
}
/** The part of a block's keys that a split has: each has about as many. */
fn split_keys(block: Block, split: u32) -> vec2<i32> {
  // Tiles start at multiples of the grain, so that they do not depend on which rows share them.
  let start = block.keys.x - block.keys.x % i32(params.keyGrain);
  let share = (max(block.keys.y - start, 0) + i32(params.keyParts) - 1) / i32(params.keyParts);
  let size = (share + ${spanKeys - 1}) / ${spanKeys} * ${spanKeys};
  let first = start + i32(split) * size;
  return vec2<i32>(first, max(first, min(block.keys.y, first + size)));
}
/** Index of a row of the block among the rows of outputs. */
fn output_row(block: Block, row: u32) -> u32 {
  let query = row / params.stack;
  let head = block.head * params.stack + row - query * params.stack;
  return (block.batch * params.queryHeads + head) * params.queryLength + block.first_query + query;
}`,
  };
}

/** As \`logitsRowsFragment\`. */
export function gatheredRowsFragment(programs: Reads["programs"]): Fragment {
  const { members, values } = programText(programs);
  const own = rowValuesFragment(programs);
  return {
    needs: [gatheredGridFragment(!!programs && hasMap(programs)), ...(own ? [own] : [])],
    wgsl: `struct Rows {
  /** Query index and query head of four rows; clamped to rows that exist. */
  index: vec4<u32>,
  head: vec4<u32>,
  exists: vec4<bool>,
  /** Positions that are data, or indices within the sequence. */
  position: vec4<i32>,
${members}}
/** Rows \`first\` to \`first + 3\` of a block's sequence. */
fn rows_of(block: Block, batch: Batch, first: u32) -> Rows {
  let row = vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u);
  let clamped = min(row, vec4<u32>(block.end_row - 1u));
  let query = clamped / vec4<u32>(params.stack);
  var position = vec4<i32>(query);
  if ((params.flags & flag_positions) != 0u) {
    let at = vec4<u32>(batch.query_positions) + query;
    position = vec4<i32>(integer(at.x), integer(at.y), integer(at.z), integer(at.w));
  }
  let head = vec4<u32>(block.head * params.stack) + clamped - query * params.stack;
  return Rows(
    vec4<u32>(block.first_query) + query,
    head,
    row < vec4<u32>(block.end_row),
    position${values("row_values(position + vec4<i32>(program_offset), vec4<i32>(query), head)")},
  );
}`,
  };
}

/** Statements at the start of \`bias_and_visibility\`: visibility by the band, and distances for ALiBi. */
export const gatheredBand: string = `  let key = min(j, vec4<u32>(u32(max(batch.keys, 1) - 1)));
  var visible = rows.exists & (vec4<i32>(j) < vec4<i32>(batch.keys));
  var away = vec4<f32>();
  if ((params.flags & flag_positions) != 0u) {
    let at = vec4<u32>(batch.key_positions) + key;
    let k = vec4<i32>(integer(at.x), integer(at.y), integer(at.z), integer(at.w));
    // Without signs, differences of any two integers are exact.
    let after = bitcast<vec4<u32>>(k) - bitcast<vec4<u32>>(rows.position);
    let before = bitcast<vec4<u32>>(rows.position) - bitcast<vec4<u32>>(k);
    visible = visible & ((k <= rows.position) | (after <= vec4<u32>(bitcast<u32>(batch.last))))
      & ((k >= rows.position) | (before <= vec4<u32>(bitcast<u32>(batch.first))));
    away = vec4<f32>(select(before, after, k > rows.position));
  } else {
    let distance = vec4<i32>(j) - rows.position;
    visible = visible & (distance >= vec4<i32>(batch.first)) & (distance <= vec4<i32>(batch.last));
    away = abs(vec4<f32>(distance) - vec4<f32>(f32(batch.offset)));
  }`;

/** Text that differs between kernels whose workgroups are numbered and those that take items. */
export interface GridText {
  /** Statements that name the rules of the block's sequence, \`batch\`, and start programs. */
  readonly batch: string;
  readonly firstRow: string;
  readonly endRow: string;
  /** Smallest and largest index or position of the block's rows. */
  readonly span: string;
  /** The keys of a split of the block. */
  keys(split: string): string;
  /** Statements that name the block's row of the map of tiles, where there is one. */
  readonly map: string;
  /** Four rows from one on. */
  rowsOf(first: string): string;
  /** Index of a row of the block among the rows of outputs, after statements that it needs. */
  outputRow(row: string, indent: string): { readonly before: string; readonly at: string };
  /** Leaves a tile of keys that no row sees; whether rows see all of it is then \`seen_by_all\`. */
  readonly visibility: (tile: string, keys: number, indent: string) => string;
  /** Whether some row does not see all of a tile, as far as the band says. */
  readonly partial: (tile: string, keys: number) => string;
}

/** @param rows query rows of a block */
export function gridText({ gathered, programs }: GridReads, rows: number): GridText {
  const { start, map } = programText(programs);
  if (gathered) {
    return {
      batch: `  let batch = batch_rules(block.sequence);\n${start("block.sequence")}`,
      firstRow: "block.first_row",
      endRow: "block.end_row",
      span: "block.span",
      keys: (split) => `split_keys(block, ${split})`,
      map: map("block.item, block.head"),
      rowsOf: (first) => `rows_of(block, batch, ${first})`,
      outputRow: (row) => ({ before: "", at: `output_row(block, ${row})` }),
      visibility: (
        tile,
        keys,
        indent,
      ) => `${indent}let visibility = tile_visibility(batch, span, ${tile}, ${keys});
${indent}if (visibility == tile_hidden) {
${indent}  continue;
${indent}}
`,
      partial: () => "visibility != tile_full",
    };
  }
  return {
    batch: `  let batch = batch_rules(b);\n${start("b")}`,
    firstRow: `params.firstRow + block.tile * ${rows}u`,
    endRow: `min(params.endRow, first_row + ${rows}u)`,
    span: "queries_of(first_row, end_row)",
    keys: (split) => `visible_keys(batch, ${split}, first_index, last_index)`,
    map: map("block.batch, block.head, first_row"),
    rowsOf: (first) => `rows_of(block.head, ${first})`,
    outputRow: (row, indent) => ({
      before: `${indent}let stacked = ${row} / params.queryLength;
${indent}let head = block.head * params.stack + stacked;
`,
      at: `(block.batch * params.queryHeads + head) * params.queryLength
${indent}  + row - stacked * params.queryLength`,
    }),
    visibility: () => "",
    partial: (tile, keys) =>
      `${tile} - last_index < batch.first || ${tile} + ${keys - 1} - first_index > batch.last`,
  };
}
