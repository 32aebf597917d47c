import type { OperationCase } from "../run/case.js";
import { mergeSuite } from "./merge/index.js";
import type { OperationName } from "./names.js";
import { projectionSuite } from "./projection/index.js";
import { rotarySuite } from "./rotary/index.js";
import { scatterSuite } from "./scatter/index.js";

/** Everything that the suite asks about an operation. */
export interface OperationSuite {
  /** Synthetic cases, laws and wrong calls. */
  readonly cases: readonly OperationCase[];
  /** Recorded vectors of other projects. */
  readonly vectors: readonly OperationCase[];
}

/** What the suite asks about each operation beside attention. */
export const operationSuites: Readonly<Record<OperationName, OperationSuite>> = {
  rotary: rotarySuite,
  merge: mergeSuite,
  scatter: scatterSuite,
  projection: projectionSuite,
};
