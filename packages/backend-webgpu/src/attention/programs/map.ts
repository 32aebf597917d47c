import type { Fragment } from "../../wgsl/emit.js";
/**
 * The map of tiles: two bits for each tile of keys of each block of rows, as `blockKinds` of core. Tiles start at
 * multiples of `params.mapKeys`.
 */
export function mapFragment(gathered: boolean): Fragment {
  const row = gathered
    ? `fn map_row(item: u32, head: u32) -> u32 {
  return params.map + item * params.mapRow + head * params.mapHead;
}`
    : `fn map_row(batch: u32, head: u32, first_row: u32) -> u32 {
  return params.map + batch * params.mapBatch + head * params.mapHead
    + first_row / params.mapRows * params.mapRow;
}`;
  return {
    wgsl: `const kind_empty = 0u;
const kind_full = 2u;
${row}
fn kind_of(map: u32, first: i32) -> u32 {
  let tile = u32(first) / params.mapKeys;
  return (programs[map + (tile >> 4u)] >> (2u * (tile & 15u))) & 3u;
}
/** The first key from one on in a tile that is not empty; \`end\` if there is none before. */
fn next_visited(map: u32, first: i32, end: i32) -> i32 {
  var tile = u32(first) / params.mapKeys;
  while (tile * params.mapKeys < u32(end)) {
    let rest = programs[map + (tile >> 4u)] >> (2u * (tile & 15u));
    if (rest != 0u) {
      return max(first, i32((tile + (countTrailingZeros(rest) >> 1u)) * params.mapKeys));
    }
    tile = (tile | 15u) + 1u;
  }
  return max(first, end);
}`,
  };
}
