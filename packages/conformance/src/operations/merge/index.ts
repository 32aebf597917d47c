import type { OperationSuite } from "../../run/check-call.js";
import { mergeCases } from "./cases.js";
import { mergeWrongCalls } from "./hostile.js";
import { judgedMerge } from "./judged.js";
import { mergeLaws } from "./laws.js";
import { mergeVectors } from "./vectors.js";

/** Everything that the suite asks about merging partial attention. */
export const mergeSuite: OperationSuite = {
  operation: judgedMerge.operation,
  cases: [...mergeCases, ...mergeLaws, mergeWrongCalls],
  vectors: mergeVectors,
  planted: judgedMerge.planted,
};
