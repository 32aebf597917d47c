import type { OperationCase } from "../../run/case.js";
import { scatterCases } from "./cases.js";
import { scatterWrongCalls } from "./hostile.js";
import { scatterLaws } from "./laws.js";
import { scatterVectors } from "./vectors.js";

/** Everything that the suite asks about writing rows into a cache. */
export const scatterSuite: {
  readonly cases: readonly OperationCase[];
  readonly vectors: readonly OperationCase[];
} = {
  cases: [...scatterCases, ...scatterLaws, scatterWrongCalls],
  vectors: scatterVectors,
};
