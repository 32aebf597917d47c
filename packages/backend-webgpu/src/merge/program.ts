import { type BoundMerge, type MergeProblem, merge } from "@heed/core";
import { type ScheduledOperation, scheduledOperation } from "../execution/scheduled.js";
import { scheduleMerge } from "./schedule.js";

export const mergeOnDevice: ScheduledOperation<MergeProblem, BoundMerge> = scheduledOperation({
  operands: merge.operands,
  dtypes: ({ dtype, logSumExpDType }) => [dtype, logSumExpDType],
  schedule: scheduleMerge,
  kernel: "merge-sum",
  tooLarge: "the weights of a single row's parts are more than the device binds at once",
  rulesBytes: () => 0,
  encode: () => new Uint8Array(0),
});
