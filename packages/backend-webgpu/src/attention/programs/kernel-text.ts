import { rowValues } from "./fragment.js";
import { hasMap, type KernelPrograms } from "./kernel-programs.js";

/** Text of kernels that only those with programs have; nothing in others. */
export interface ProgramText {
  /** Statements once `batch`, the rules of a sequence, is known. @param sequence its number */
  start(sequence: string): string;
  /** Names the row of the map. @param place arguments of `map_row` */
  map(place: string): string;
  /**
   * Statements at the start of a loop over tiles: goes on to the next that is not empty, and names the tile's kind.
   *
   * @param tile the loop's variable: the tile's first key
   */
  visit(tile: string, indent: string): string;
  /** Added to the condition under which rules are looked at one by one. */
  readonly masked: string;
  /** Further members of `Rows`, and arguments of its constructor. */
  readonly members: string;
  values(text: string): string;
  readonly hasMap: boolean;
  /** Whether rows have values of programs. */
  readonly hasValues: boolean;
  /** In `bias_and_visibility`: changes `s`, `hidden` and `visible`; that of scores names `infinite`. */
  readonly score: string;
  readonly mask: string;
}

export function programText(programs: KernelPrograms | null | undefined): ProgramText {
  if (!programs) return none;
  const mapped = hasMap(programs);
  const kept = rowValues(programs).length > 0;
  const { score, mask, blocks } = programs;
  const masked = [...(score ? ["true"] : []), ...(mapped ? ["kind != kind_full"] : [])];
  return {
    start: (sequence) => `  start_programs(${sequence}, batch.offset);\n`,
    map: (place) => (mapped ? `  let map = map_row(${place});\n` : ""),
    visit: (tile, indent) =>
      mapped
        ? `${indent}${tile} = next_visited(map, ${tile}, keys.y);
${indent}if (${tile} >= keys.y) {
${indent}  break;
${indent}}
${indent}let kind = kind_of(map, ${tile});
${indent}program_hides = kind != kind_full;
`
        : "",
    masked: masked.map((condition) => `${condition} || `).join(""),
    hasMap: mapped,
    hasValues: kept,
    members: kept ? "  values: RowValues,\n" : "",
    values: (text) => (kept ? `, ${text}` : ""),
    score: score
      ? `  let changed = program_score(batch, rows, key, s);
  s = changed.s;
  let infinite = changed.infinite;
  hidden = hidden | infinite;
`
      : "",
    mask: mapped
      ? `  if (program_hides) {
${mask ? "    visible = visible & program_mask(batch, rows, key);\n" : ""}${
  blocks ? "    visible = visible & program_blocks(batch, rows, key);\n" : ""
}  }
`
      : "",
  };
}

const none: ProgramText = {
  start: () => "",
  map: () => "",
  visit: () => "",
  masked: "",
  hasMap: false,
  hasValues: false,
  members: "",
  values: () => "",
  score: "",
  mask: "",
};
