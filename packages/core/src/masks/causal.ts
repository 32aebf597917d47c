import { lessEqual } from "../program/functions.js";
import { maskMod } from "../program/program.js";
import type { MaskProgram } from "../program/program-class.js";

/** Each query sees the keys up to its own position (Vaswani et al., 2017, arXiv:1706.03762). */
export function causal(): MaskProgram {
  return maskMod(({ query, key }) => lessEqual(key, query));
}
