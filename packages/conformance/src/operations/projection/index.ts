import type { OperationCase } from "../../run/case.js";
import { projectionCases } from "./cases.js";
import { projectionWrongCalls } from "./hostile.js";
import { projectionLaws } from "./laws.js";
import { projectionVectors } from "./vectors.js";

/** Everything that the suite asks about projections. */
export const projectionSuite: {
  readonly cases: readonly OperationCase[];
  readonly vectors: readonly OperationCase[];
} = {
  cases: [...projectionCases, ...projectionLaws, projectionWrongCalls],
  vectors: projectionVectors,
};
