import type { OperationSuite } from "../../run/check-call.js";
import { projectionCases } from "./cases.js";
import { projectionWrongCalls } from "./hostile.js";
import { judgedProjection } from "./judge.js";
import { projectionLaws } from "./laws.js";
import { projectionVectors } from "./vectors.js";

/** Everything that the suite asks about projections. */
export const projectionSuite: OperationSuite = {
  operation: judgedProjection.operation,
  cases: [...projectionCases, ...projectionLaws, projectionWrongCalls],
  vectors: projectionVectors,
  planted: judgedProjection.planted,
};
