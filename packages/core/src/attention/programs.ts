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
import { type BoundPositions, Sequence } from "./sequences.js";

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
 * Checks the sizes of a call's block mask, as far as they do not depend on where sequences start: what a ragged batch
 * needs is known when its starts are bound.
 *
 * @param full `[sequences, queryHeads, queryLength, keyLength]`
 * @throws InvalidInputError naming `blockMask`, if its blocks are not those of the call
 */
export function checkBlockMask(
  { blockMask }: AttentionInputs,
  { shape, queryBlock, keyBlock }: BlockMaskSizes,
  full: readonly [number, number, number, number],
  ragged: boolean,
): void {
  const [sequences, heads, queryLength, keyLength] = full;
  const queries = Math.ceil(queryLength / queryBlock);
  const keys = Math.ceil(keyLength / keyBlock);
  const fits =
    (shape[0] === 1 || shape[0] === sequences) &&
    (shape[1] === 1 || shape[1] === heads) &&
    (ragged || (shape[2] === queries && shape[3] === keys));
  if (!fits) {
    const lengths = ragged ? "query blocks, key blocks" : `${queries}, ${keys}`;
    throw new InvalidInputError(
      "blockMask",
      `blocks [${oneOr(sequences)}, ${oneOr(heads)}, ${lengths}] of ${queryBlock} queries and ${keyBlock} keys`,
      `[${shape.join(", ")}]`,
    );
  }
  const origin = originOf(blockMask);
  if (origin === null) return;
  const made = [origin.batch, origin.heads, origin.queryLength, origin.keyLength];
  const axes = ragged ? 2 : 4;
  if (made.every((size, axis) => axis >= axes || size === null || size === full[axis])) return;
  throw new InvalidInputError(
    "blockMask",
    `one made for a call of [${full.slice(0, axes).join(", ")}${ragged ? ", any, any" : ""}]`,
    `one made for [${made.map((size) => size ?? "any").join(", ")}]`,
  );
}

/**
 * @throws InvalidInputError naming `blockMask`, if a sequence of a ragged batch is longer than its blocks, or than the
 *   lengths that it was made for
 */
function checkLongest(
  { shape, queryBlock, keyBlock, origin }: BlockMask,
  { queryStarts, kvLengths }: BoundPositions,
): void {
  if (!queryStarts) return;
  let queries = 0;
  for (let s = 0; s + 1 < queryStarts.length; s++) {
    queries = Math.max(queries, (queryStarts[s + 1] as number) - (queryStarts[s] as number));
  }
  const keys = kvLengths.reduce((most, length) => Math.max(most, length), 0);
  const most = [
    origin ? origin.queryLength : shape[2] * queryBlock,
    origin ? origin.keyLength : shape[3] * keyBlock,
  ] as const;
  if (queries <= most[0] && keys <= most[1]) return;
  throw new InvalidInputError(
    "blockMask",
    `blocks for the longest sequence's ${queries} queries and the longest one's ${keys} keys`,
    `blocks for ${most[0]} queries and ${most[1]} keys`,
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
    blockMask: blockMask && bindBlockMask(problem, inputs, maskMod, bound, positions),
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
  problem: AttentionProblem,
  inputs: AttentionInputs,
  program: MaskProgram | null,
  bound: BoundProgram<"mask"> | null,
  positions: BoundPositions,
): BoundBlockMask {
  const blocks = readBlockMask(inputs.blockMask);
  checkLongest(blocks, positions);
  const { origin } = blocks;
  if (origin === null) return { blocks, skipsProgram: false };
  checkCircumstances(problem, blocks, positions);
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
function checkCircumstances(
  problem: AttentionProblem,
  { origin }: BlockMask,
  positions: BoundPositions,
): void {
  if (origin === null) return;
  const { program, offsets, queryLength, queryPositions, keyLength, keyPositions } = origin;
  const used = variablesOf(program.form);
  const wrong = (what: string) =>
    new InvalidInputError("blockMask", `one made with the call's ${what}`, "one made with others");
  for (let s = 0; s < problem.sequences; s++) {
    const sequence = new Sequence(problem, positions, s);
    if (used.has("query")) {
      if (!beginsWith(rowOf(queryPositions, queryLength, s), sequence.queryPositions)) {
        throw wrong("queryPositions");
      }
      const made = offsets?.[offsets.length === 1 ? 0 : s] ?? 0;
      if (queryPositions === null && sequence.offset !== made) throw wrong("queryOffset");
    }
    if (used.has("key") && !beginsWith(rowOf(keyPositions, keyLength, s), sequence.keyPositions)) {
      throw wrong("keyPositions");
    }
  }
}

/** The row of a sequence in a table that has one for each, or one for all. */
function rowOf(table: Int32Array | null, length: number, s: number): Int32Array | null {
  if (table === null || table.length === length) return table;
  return table.subarray(s * length, (s + 1) * length);
}

function beginsWith(all: Int32Array | null, first: Int32Array | null): boolean {
  if (all === null || first === null) return all === first;
  return first.length <= all.length && first.every((value, at) => value === all[at]);
}
