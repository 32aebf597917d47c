import { checkNames, reading } from "../options.js";
import { equal, floorDivide } from "../program/functions.js";
import { maskMod } from "../program/program.js";
import type { MaskProgram } from "../program/program-class.js";
import { checkCount, checkMultiple } from "./arguments.js";

/** Areas of a sequence. */
export interface AreaOptions {
  /** Tokens in all, a multiple of `areas`. */
  readonly length: number;
  /** Areas that the tokens are cut into. */
  readonly areas: number;
}

const names: ReadonlySet<string> = new Set(["length", "areas"]);

/**
 * The tokens, row after row, are cut into areas of equal size, and each sees its own (YOLO12's area
 * attention, Tian et al., 2025, arXiv:2502.12524).
 *
 * @throws InvalidInputError naming the option at fault
 */
export function area(options: AreaOptions): MaskProgram {
  checkNames("options", options, names);
  const { length, areas } = reading("options", () => ({ ...options }));
  checkCount("length", length, 1);
  checkCount("areas", areas, 1);
  checkMultiple("length", length, "areas", areas);
  const size = length / areas;
  return maskMod(({ query, key }) => equal(floorDivide(query, size), floorDivide(key, size)));
}
