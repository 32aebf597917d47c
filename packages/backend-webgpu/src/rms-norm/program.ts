import { type BoundRmsNorm, type RmsNormProblem, rmsNorm } from "@heed/core";
import { type ScheduledOperation, scheduledOperation } from "../execution/scheduled.js";
import { scheduleRmsNorm } from "./schedule.js";

export const rmsNormOnDevice: ScheduledOperation<RmsNormProblem, BoundRmsNorm> = scheduledOperation(
  {
    operands: rmsNorm.operands,
    dtypes: ({ dtype }) => [dtype],
    schedule: scheduleRmsNorm,
    kernel: "rms-norm-rows",
    tooLarge: "the weight or a single vector is more than the device binds at once",
    rulesBytes: () => 4,
    encode: ({ epsilon }) => new Uint8Array(Float32Array.of(epsilon).buffer),
  },
);
