import { type AttentionProblem, headsPerGroup } from "@heed/core";
import { type Capabilities, suitsUnrolled } from "../../capabilities.js";
import { sequencesOf, shortRows } from "../gathered.js";
import type { KernelName } from "../kernel-names.js";
import { decodeRows } from "../kernels/decode.js";
import { type Choice, withInvariantSums } from "./choice.js";
import { chooseDecode, fitsDecode } from "./decode.js";
import { chooseQuad, chooseStream, fitsRegisters, isLarge, mostStreamRows } from "./registers.js";
import { chooseRow } from "./row.js";
import { mostPartsBytes } from "./splits.js";
import { chooseTile } from "./tile.js";

/** Queries up to which the row kernel, whose list has an item for each, is used. */
export const mostListedRows = 4096;

/**
 * A choice for keys in pages or of another type, ragged batches and positions that are data: rows of a
 * group are always stacked, query by query, and sequences are what batch entries are elsewhere.
 *
 * @param forced a kernel to use wherever it can compute the problem
 */
export function chooseGathered(
  problem: AttentionProblem,
  capabilities: Capabilities,
  forced: KernelName | undefined,
  batchInvariant: boolean,
): Choice {
  const group = headsPerGroup(problem);
  const usual = sequencesOf(problem);
  const { queryLength, keyLength } = usual;
  const { software } = capabilities;
  const rows = group * queryLength;
  const registers = fitsRegisters(usual, capabilities);
  const unrolled = suitsUnrolled(capabilities);
  const large = software && isLarge(usual);
  const queries = problem.batch * problem.queryLength;
  const suits = (kernel: KernelName, suited: boolean): boolean =>
    forced === undefined ? suited : forced === kernel;
  const choice = (): Choice => {
    // Nothing here may depend on the sizes of a batch.
    if (batchInvariant) {
      const quad = unrolled && registers;
      return (quad ? chooseQuad : chooseTile)(usual, capabilities, group);
    }
    if (registers && suits("stream", unrolled && large && rows <= mostStreamRows)) {
      return chooseStream(usual, capabilities, group);
    }
    if (registers && suits("quad", unrolled && large))
      return chooseQuad(usual, capabilities, group);
    // Tiles, of which there is one for each way of reading, take software adapters long to compile.
    const few = software ? !large : keyLength <= 16;
    if (suits("row", few && queries <= mostListedRows)) return chooseRow(usual, capabilities);
    const decodes = !software && rows <= 2 * decodeRows;
    if (suits("decode", decodes) && fitsDecode(usual, capabilities)) {
      return chooseDecode(usual, capabilities, group);
    }
    return chooseTile(usual, capabilities, group);
  };
  const chosen = inLists(choice(), problem);
  if (batchInvariant) return withInvariantSums(chosen);
  const mixed = problem.ragged !== null && !software && forced === undefined;
  if (mixed && chosen.kernel !== "row" && group <= shortRows && fitsDecode(usual, capabilities)) {
    return chooseMixed(problem, capabilities, group);
  }
  return chosen;
}

/** A choice for rows that are numbered, with one list of its rows. */
export function inLists(choice: Choice, problem: AttentionProblem): Choice {
  const group = headsPerGroup(problem);
  const listed = choice.kernel === "row" ? { ...choice, stack: group, rows: group } : choice;
  return {
    ...listed,
    listRows: [listed.rows],
    // Registers take keys from an even one on.
    keyGrain: "registers" in choice ? choice.registers.keys : 1,
    splits: sequencesOf(problem).batch === 0 ? 1 : choice.splits,
  };
}

/** Tiles for the long sequences of a ragged batch, and the decode kernel for the short ones. */
function chooseMixed(problem: AttentionProblem, capabilities: Capabilities, group: number): Choice {
  const usual = sequencesOf(problem);
  const tile = chooseTile(usual, capabilities, group);
  const decode = chooseDecode({ ...usual, queryLength: 1 }, capabilities, group);
  const rows = problem.queryHeads * problem.queryLength;
  // All rows have as many parts.
  const most = Math.max(1, Math.floor(mostPartsBytes / (4 * rows * problem.valueDim)));
  return {
    ...tile,
    splits: Math.min(most, Math.max(tile.splits, decode.splits)),
    listRows: [decode.rows, tile.rows],
    short: decode.decode,
  };
}
