import { checkNames, reading } from "../options.js";
import { and, equal, lessEqual, remainder, subtract } from "../program/functions.js";
import { maskMod } from "../program/program.js";
import type { MaskProgram } from "../program/program-class.js";
import { checkCount } from "./arguments.js";

/** Sizes of a dilated window. */
export interface DilatedOptions {
  /** Distance between keys that a query sees, ≥ 1. */
  readonly dilation: number;
  /** How many keys a query sees before its own, ≥ 0. Default: all of them. */
  readonly left?: number | undefined;
  /** How many keys a query sees after its own, ≥ 0. Default: all of them. */
  readonly right?: number | undefined;
}

const names: ReadonlySet<string> = new Set(["dilation", "left", "right"]);

/**
 * Queries see every `dilation`-th key around them (Longformer's dilated window, arXiv:2004.05150; strided
 * attention of Sparse Transformers, arXiv:1904.10509).
 *
 * @throws InvalidInputError naming the option at fault
 */
export function dilated(options: DilatedOptions): MaskProgram {
  checkNames("options", options, names);
  const { dilation, left, right } = reading("options", () => ({ ...options }));
  checkCount("dilation", dilation, 1);
  if (left !== undefined) checkCount("left", left, 0);
  if (right !== undefined) checkCount("right", right, 0);
  return maskMod(({ query, key }) => {
    const distance = subtract(query, key);
    return and(
      equal(remainder(distance, dilation), 0),
      left === undefined || lessEqual(distance, left * dilation),
      right === undefined || lessEqual(-right * dilation, distance),
    );
  });
}
