import { type AttentionProblem, headsPerGroup } from "@heed/core";
import type { Capabilities } from "../../capabilities.js";
import { registersThreads } from "../kernels/registers.js";
import { takesLists } from "../storages.js";
import { tileRows } from "../wgsl/products.js";
import type { Choice } from "./choice.js";
import { chooseDecode, fitsDecode } from "./decode.js";
import { inLists, mostListedRows } from "./gathered.js";
import { chooseQuad, chooseStream, fitsRegisters, mostQuadRows } from "./registers.js";
import { chooseRow } from "./row.js";
import type { Settings } from "./settings.js";
import { mostPartsBytes } from "./splits.js";
import { chooseSubgroupMatrix } from "./subgroup-matrix.js";
import { chooseTile, fitsLanes } from "./tile.js";

/** Settings whose splits may be left to the rule. */
export type Wish<S extends Settings = Settings> = S extends Settings
  ? Omit<S, "splits"> & { readonly splits?: number }
  : never;

/**
 * The choice that has these settings, wherever they come from: splits are limited to what the keys allow. Pure.
 *
 * @returns null if the device or the kernel cannot compute the problem with them
 */
export function choiceOf(
  problem: AttentionProblem,
  capabilities: Capabilities,
  wish: Wish,
): Choice | null {
  // A ragged batch may have two kernels, which depend on more than these settings.
  if (problem.ragged !== null) return null;
  const lists = takesLists(problem, capabilities);
  const group = headsPerGroup(problem);
  const stack = lists || problem.queryLength < tileRows ? group : 1;
  const made = built(problem, capabilities, stack, limitSplits(problem, wish), lists);
  if (made === null) return null;
  if (partsBytes(problem, made) > mostPartsBytes) {
    // No more than the rule takes for the same kernel and sizes.
    const { splits: _, ...sizes } = wish;
    const rule = built(problem, capabilities, stack, sizes as Wish, lists);
    if (rule === null || made.splits > rule.splits) return null;
  }
  return lists ? inLists(made, problem) : made;
}

/** Bytes of partial outputs; none where keys are not split. */
function partsBytes(
  { batch, queryHeads, queryLength, valueDim }: AttentionProblem,
  { splits }: Choice,
): number {
  return splits > 1 ? 4 * batch * queryHeads * queryLength * splits * valueDim : 0;
}

/** A part of the keys has at least one tile of them; those of `stream` come in fours. */
function limitSplits({ keyLength }: AttentionProblem, wish: Wish): Wish {
  if (wish.splits === undefined) return wish;
  const most = Math.max(1, Math.floor(keyLength / tileRows));
  if (wish.kernel !== "stream") return { ...wish, splits: Math.min(wish.splits, most) };
  const fours = Math.min(
    Math.ceil(wish.splits / registersThreads),
    Math.max(1, Math.floor(most / registersThreads)),
  );
  return { ...wish, splits: fours * registersThreads };
}

function built(
  problem: AttentionProblem,
  capabilities: Capabilities,
  stack: number,
  wish: Wish,
  lists: boolean,
): Choice | null {
  const group = headsPerGroup(problem);
  switch (wish.kernel) {
    case "tile": {
      const choice = chooseTile(problem, capabilities, stack, wish);
      const { lanes, columns, subgroups } = choice.tile;
      const fits =
        fitsLanes(lanes, choice.storage, capabilities) &&
        columns % (4 * lanes) === 0 &&
        (capabilities.subgroups || !subgroups);
      return fits ? choice : null;
    }
    case "row":
      return !lists || problem.batch * problem.queryLength <= mostListedRows
        ? chooseRow(problem, capabilities, wish)
        : null;
    case "decode":
      return fitsDecode(problem, capabilities)
        ? chooseDecode(problem, capabilities, group, wish)
        : null;
    case "subgroup-matrix":
      return lists ? null : chooseSubgroupMatrix(problem, capabilities, stack, wish);
    case "quad": {
      const fits =
        fitsRegisters(problem, capabilities) &&
        wish.rows <= mostQuadRows(problem) &&
        (capabilities.subgroups || !wish.subgroups);
      return fits ? chooseQuad(problem, capabilities, stack, wish) : null;
    }
    case "stream":
      return fitsRegisters(problem, capabilities)
        ? chooseStream(problem, capabilities, group, wish)
        : null;
  }
}

/** The settings of a choice, as they may stand in a table. */
export function settingsOf(choice: Choice): Settings {
  const { splits } = choice;
  switch (choice.kernel) {
    case "tile": {
      const { lanes, columns, subgroups } = choice.tile;
      return { kernel: "tile", lanes, columns: columns as 32 | 64 | 128, subgroups, splits };
    }
    case "row":
      return { kernel: "row", splits };
    case "decode":
      return { kernel: "decode", columns: choice.decode.columns, splits };
    case "subgroup-matrix": {
      const { rows, columns } = choice.matrix;
      return { kernel: "subgroup-matrix", rows, columns, splits };
    }
    case "quad": {
      const { rows, keys, mode } = choice.registers;
      return { kernel: "quad", rows, keys, subgroups: mode === "quad", splits };
    }
    case "stream":
      return { kernel: "stream", rows: choice.registers.rows as 4 | 8, splits };
  }
}
