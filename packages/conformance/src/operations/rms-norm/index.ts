import type { OperationSuite } from "../../run/check-call.js";
import { rmsNormCases } from "./cases.js";
import { rmsNormWrongCalls } from "./hostile.js";
import { judgedRmsNorm } from "./judge.js";
import { rmsNormLaws } from "./laws.js";

/** Everything that the suite asks about root mean square normalisation. */
export const rmsNormSuite: OperationSuite = {
  operation: judgedRmsNorm.operation,
  cases: [...rmsNormCases, ...rmsNormLaws, rmsNormWrongCalls],
  vectors: [],
  planted: judgedRmsNorm.planted,
};
