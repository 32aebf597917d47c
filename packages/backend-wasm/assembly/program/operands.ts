import * as P from "../../src/shared/program";

// Operands of instructions: see src/shared/program.ts.

// Addresses of operands: set before a list is run.
/** The block of the program. */
let block: usize = 0;
/** The workspace's part for programs. */
let registers: usize = 0;
/** Offset of the rows at hand into registers whose lanes are rows, in bytes. */
let rowsAt: usize = 0;
/** Offset of the first key at hand into registers with a vector a key, in bytes. */
let keysAt: usize = 0;
let scoresAt: usize = 0;
let maskAt: usize = 0;
/** From one key to the next in scores and mask, in bytes. */
let scoreStep: usize = 16;

/** Selects the program that is run next, and its workspace. */
export function selectProgram(program: usize, workspace: usize): void {
  block = program;
  registers = workspace;
}

/** Address of a register; its offset is 0 if nothing reads it. */
// @ts-ignore: decorator
@inline
export function registerAt(offset: usize): usize {
  return registers + offset;
}

/** Sets what the lists for keys and rows work on. */
export function selectKeys(rows: usize, keys: usize, scores: usize, mask: usize, step: usize): void {
  rowsAt = rows;
  keysAt = keys;
  scoresAt = scores;
  maskAt = mask;
  scoreStep = step;
}

/** Address of the first vector of an operand. */
export function addressOf(operand: usize): usize {
  const place = <i32>operand & P.placeBits;
  const offset = operand - <usize>place;
  if (place <= P.placeList) return registers + offset;
  if (place == P.placeRows) return registers + offset + rowsAt;
  if (place == P.placeKeys) return registers + offset + keysAt;
  if (place == P.placeScore) return scoresAt;
  if (place == P.placeMask) return maskAt;
  return block + offset;
}

/** From one vector of an operand to the next, in bytes; 0: there is one. */
export function stepOf(operand: usize): usize {
  const place = <i32>operand & P.placeBits;
  if (place == P.placeList || place == P.placeKeys) return 16;
  if (place == P.placeScore || place == P.placeMask) return scoreStep;
  return 0;
}

/** The instructions of a list: the first, or the one after the last. */
export function listStart(list: usize): usize {
  return block + load<usize>(block + list);
}

/** The end of a list: see {@link listStart}. */
export function listEnd(list: usize): usize {
  return block + load<usize>(block + list + 4);
}

/** A word of the program's header. */
export function headerWord(at: usize): usize {
  return load<usize>(block + at);
}
