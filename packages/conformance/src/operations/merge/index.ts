import type { OperationCase } from "../../run/case.js";
import { mergeCases } from "./cases.js";
import { mergeWrongCalls } from "./hostile.js";
import { mergeLaws } from "./laws.js";
import { mergeVectors } from "./vectors.js";

/** Everything that the suite asks about merging partial attention. */
export const mergeSuite: {
  readonly cases: readonly OperationCase[];
  readonly vectors: readonly OperationCase[];
} = {
  cases: [...mergeCases, ...mergeLaws, mergeWrongCalls],
  vectors: mergeVectors,
};
