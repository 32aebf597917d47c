import type { OperationSuite } from "../run/check-call.js";
import { mergeSuite } from "./merge/index.js";
import type { OperationName } from "./names.js";
import { projectionSuite } from "./projection/index.js";
import { rmsNormSuite } from "./rms-norm/index.js";
import { rotarySuite } from "./rotary/index.js";
import { scatterSuite } from "./scatter/index.js";

/** The suite's questions about each operation beside attention. */
export const operationSuites: Readonly<Record<OperationName, OperationSuite>> = {
  rotary: rotarySuite,
  merge: mergeSuite,
  scatter: scatterSuite,
  projection: projectionSuite,
  rmsNorm: rmsNormSuite,
};
