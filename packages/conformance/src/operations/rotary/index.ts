import type { OperationSuite } from "../../run/check-call.js";
import { rotaryCases } from "./cases.js";
import { rotaryWrongCalls } from "./hostile.js";
import { judgedRotary } from "./judged.js";
import { rotaryLaws } from "./laws.js";
import { rotaryVectors } from "./vectors.js";

/** Everything that the suite asks about rotary position embedding. */
export const rotarySuite: OperationSuite = {
  operation: judgedRotary.operation,
  cases: [...rotaryCases, ...rotaryLaws, rotaryWrongCalls],
  vectors: rotaryVectors,
  planted: judgedRotary.planted,
};
