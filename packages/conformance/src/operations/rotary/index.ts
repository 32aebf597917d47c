import type { OperationCase } from "../../run/case.js";
import { rotaryCases } from "./cases.js";
import { rotaryWrongCalls } from "./hostile.js";
import { rotaryLaws } from "./laws.js";
import { rotaryVectors } from "./vectors.js";

/** Everything that the suite asks about rotary position embedding. */
export const rotarySuite: {
  readonly cases: readonly OperationCase[];
  readonly vectors: readonly OperationCase[];
} = {
  cases: [...rotaryCases, ...rotaryLaws, rotaryWrongCalls],
  vectors: rotaryVectors,
};
