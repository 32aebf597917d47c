import type { Problem } from "@heed/core";
import { attention } from "./attention/operation.js";
import { calls } from "./calls/operation.js";
import { decode } from "./decode/operation.js";
import { merge } from "./merge/operation.js";
import { model } from "./model/operation.js";
import type { MeasuredOperation } from "./operation.js";
import { rotary } from "./rotary/operation.js";

/** Operations that have workloads. */
const operations: readonly MeasuredOperation[] = [
  attention as MeasuredOperation,
  calls as MeasuredOperation,
  decode as MeasuredOperation,
  rotary as MeasuredOperation,
  merge as MeasuredOperation,
  model as MeasuredOperation,
];

/**
 * The operation that a problem belongs to.
 *
 * @throws RangeError for one that is not measured
 */
export function operationOf({ operation: name }: Problem): MeasuredOperation {
  const found = operations.find(({ definition }) => definition.name === name);
  if (!found) throw new RangeError(`the benchmark does not measure the operation ${name}`);
  return found;
}
