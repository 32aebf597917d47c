import { describeValue, InvalidInputError } from "../errors.js";
import {
  BlockMask,
  type BlockMaskSizes,
  blockMaskSizes,
  readBlockMask,
} from "../program/block-mask.js";
import { type BoundProgram, bindProgram } from "../program/bound.js";
import { variablesOf } from "../program/form.js";
import { isProgram, type MaskProgram, type ScoreProgram } from "../program/program-class.js";
import type { Table } from "../program/sources.js";
import type { AttentionInputs } from "./inputs.js";
import type { AttentionProblem, BlockMaskShape } from "./problem.js";
import type { BoundPositions } from "./sequences.js";

/** The programs of a call, and the sizes of its block mask. */
export interface CallPrograms {
  readonly maskMod: MaskProgram | null;
  readonly scoreMod: ScoreProgram | null;
  readonly blockMask: BlockMaskSizes | null;
}

/** A block mask at a call. */
export interface BoundBlockMask {
  readonly blocks: BlockMask;
  /** Whether its full blocks are full by the call's own mask program, so that they need not run it. */
  readonly skipsProgram: boolean;
}

/** The programs of a call with their data; null without one. */
export interface BoundPrograms {
  readonly maskMod: BoundProgram<"mask"> | null;
  readonly scoreMod: BoundProgram<"score"> | null;
  readonly blockMask: BoundBlockMask | null;
}

const none: CallPrograms = { maskMod: null, scoreMod: null, blockMask: null };
/** The programs of a call that has none. */
export const noPrograms: BoundPrograms = { maskMod: null, scoreMod: null, blockMask: null };

/**
 * The programs of a call. A block mask that a program made brings that program, unless the call has one.
 *
 * @throws InvalidInputError naming `maskMod`, `scoreMod` or `blockMask`
 */
export function readPrograms(inputs: AttentionInputs): CallPrograms {
  const { maskMod, scoreMod, blockMask } = inputs;
  if (maskMod === undefined && scoreMod === undefined && blockMask === undefined) return none;
  if (maskMod !== undefined && !isProgram(maskMod, "mask")) {
    throw new InvalidInputError("maskMod", "a program of maskMod()", describeValue(maskMod));
  }
  if (scoreMod !== undefined && !isProgram(scoreMod, "score")) {
    throw new InvalidInputError("scoreMod", "a program of scoreMod()", describeValue(scoreMod));
  }
  return {
    maskMod: maskMod ?? originOf(blockMask)?.program ?? null,
    scoreMod: scoreMod ?? null,
    blockMask: blockMask === undefined ? null : blockMaskSizes(blockMask),
  };
}

function originOf(blockMask: AttentionInputs["blockMask"]) {
  return BlockMask.is(blockMask) ? blockMask.origin : null;
}

/**
 * Whether the programs of a call, and the one that made its block mask, read positions: of queries, or of keys that have
 * positions of their own.
 *
 * @param data whether keys have positions as data
 */
export function readsPositions(
  { blockMask }: AttentionInputs,
  { maskMod, scoreMod }: CallPrograms,
  data: boolean,
): boolean {
  return (
    readsPosition(maskMod, data) ||
    readsPosition(scoreMod, data) ||
    readsPosition(originOf(blockMask)?.program ?? null, data)
  );
}

function readsPosition(program: CallPrograms["maskMod" | "scoreMod"], data: boolean): boolean {
  if (program === null) return false;
  const used = variablesOf(program.form);
  return used.has("query") || (data && used.has("key"));
}

/**
 * @param full `[batch, queryHeads, queryLength, keyLength]`
 * @throws InvalidInputError naming `blockMask`, if its blocks are not those of the call
 */
export function checkBlockMask(
  { blockMask }: AttentionInputs,
  { shape, queryBlock, keyBlock }: BlockMaskSizes,
  full: readonly [number, number, number, number],
  ragged: boolean,
): void {
  if (ragged) {
    throw new InvalidInputError("blockMask", "nothing beside queryStarts", "a block mask");
  }
  const [batch, heads, queryLength, keyLength] = full;
  const queries = Math.ceil(queryLength / queryBlock);
  const keys = Math.ceil(keyLength / keyBlock);
  const fits =
    (shape[0] === 1 || shape[0] === batch) &&
    (shape[1] === 1 || shape[1] === heads) &&
    shape[2] === queries &&
    shape[3] === keys;
  if (!fits) {
    throw new InvalidInputError(
      "blockMask",
      `blocks [${oneOr(batch)}, ${oneOr(heads)}, ${queries}, ${keys}] of ${queryBlock} queries and ${keyBlock} keys`,
      `[${shape.join(", ")}]`,
    );
  }
  const origin = originOf(blockMask);
  if (origin === null) return;
  const made = [origin.batch, origin.heads, origin.queryLength, origin.keyLength];
  if (made.every((size, axis) => size === null || size === full[axis])) return;
  throw new InvalidInputError(
    "blockMask",
    `one made for a call of [${full.join(", ")}]`,
    `one made for [${made.map((size) => size ?? "any").join(", ")}]`,
  );
}

function oneOr(size: number): string {
  return size === 1 ? "1" : `1 or ${size}`;
}

/** A block mask's sizes as a problem has them. */
export function blockMaskShape(sizes: BlockMaskSizes): BlockMaskShape {
  const { queryBlock, keyBlock, shape } = sizes;
  return { queryBlock, keyBlock, shape };
}

/**
 * Reads the data of a call's programs: scalars are copied, tables checked, a block mask that is data is read.
 *
 * @throws InvalidInputError naming `maskMod`, `scoreMod` or `blockMask`, if they are not those of the
 *   problem, or if a block mask was made in other circumstances than the call's
 */
export function bindPrograms(
  problem: AttentionProblem,
  inputs: AttentionInputs,
  positions: BoundPositions,
): BoundPrograms {
  const call = readPrograms(inputs);
  if (
    call === none &&
    problem.maskMod === null &&
    problem.scoreMod === null &&
    problem.blockMask === null
  ) {
    return noPrograms;
  }
  const { maskMod, scoreMod, blockMask } = call;
  checkSame("maskMod", maskMod?.form.key, problem.maskMod?.key);
  checkSame("scoreMod", scoreMod?.form.key, problem.scoreMod?.key);
  checkSame("blockMask", sizesText(blockMask), sizesText(problem.blockMask));
  const bound = maskMod && bindProgram(maskMod);
  return {
    maskMod: bound,
    scoreMod: scoreMod && bindProgram(scoreMod),
    blockMask: blockMask && bindBlockMask(inputs, maskMod, bound, positions),
  };
}

function checkSame(
  argument: string,
  given: string | undefined,
  described: string | undefined,
): void {
  if (given === described) return;
  const expected =
    described === undefined ? "nothing, as the problem says" : "what the problem says";
  throw new InvalidInputError(argument, expected, given ?? "undefined");
}

function sizesText(sizes: BlockMaskShape | null): string | undefined {
  if (sizes === null) return undefined;
  return `blocks [${sizes.shape.join(", ")}] of ${sizes.queryBlock} × ${sizes.keyBlock}`;
}

function bindBlockMask(
  inputs: AttentionInputs,
  program: MaskProgram | null,
  bound: BoundProgram<"mask"> | null,
  positions: BoundPositions,
): BoundBlockMask {
  const blocks = readBlockMask(inputs.blockMask);
  const { origin } = blocks;
  if (origin === null) return { blocks, skipsProgram: false };
  checkCircumstances(blocks, positions);
  const same =
    program !== null &&
    program.form === origin.program.form &&
    program.tables.every((table, slot) => sameData(table, origin.program.tables[slot] as Table));
  if (!same) return { blocks, skipsProgram: false };
  if (bound?.scalars.some((value, slot) => value !== origin.scalars[slot])) {
    throw new InvalidInputError(
      "blockMask",
      `one made with the scalars' present values ${bound.scalars.join(", ")}`,
      `one made with ${origin.scalars.join(", ")}`,
    );
  }
  return { blocks, skipsProgram: true };
}

function sameData(a: Table, b: Table): boolean {
  if (a === b) return true;
  const [s, t] = [a.tensor, b.tensor];
  const layout = (x: typeof s) => `${x.offset} ${x.shape} ${x.strides}`;
  return s.data === t.data && layout(s) === layout(t);
}

/** @throws InvalidInputError if the positions that its program reads were others */
function checkCircumstances({ origin }: BlockMask, positions: BoundPositions): void {
  if (origin === null) return;
  const used = variablesOf(origin.program.form);
  const wrong = (what: string) =>
    new InvalidInputError("blockMask", `one made with the call's ${what}`, "one made with others");
  const { offsets, queryPositions = null, keyPositions = null } = positions;
  if (used.has("query")) {
    if (!sameNumbers(queryPositions, origin.queryPositions)) throw wrong("queryPositions");
    const made = origin.offsets;
    const same = offsets.every((offset, b) => offset === (made?.[made.length === 1 ? 0 : b] ?? 0));
    if (!same) throw wrong("queryOffset");
  }
  if (used.has("key") && !sameNumbers(keyPositions, origin.keyPositions))
    throw wrong("keyPositions");
}

function sameNumbers(a: Int32Array | null, b: Int32Array | null): boolean {
  if (a === null || b === null) return a === b;
  return a.length === b.length && a.every((value, at) => value === b[at]);
}
