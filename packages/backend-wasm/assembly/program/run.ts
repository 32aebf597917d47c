import * as P from "../../src/shared/program";
import { runFloats } from "./floats";
import { runIntegers } from "./integers";
import { listEnd, listStart } from "./operands";

/**
 * Runs a list of instructions.
 *
 * @param list which: an offset into the header
 * @param vectors how many each works on
 */
export function runList(list: usize, vectors: i32): void {
  let at = listStart(list);
  const end = listEnd(list);
  while (at < end) {
    if (load<i32>(at, P.instructionCode) < P.codeFloatAdd) runIntegers(at, vectors);
    else runFloats(at, vectors);
    at += P.instructionBytes;
  }
}
