import { type BoundRotary, type RotaryProblem, rotary } from "@heed/core";
import { type ScheduledOperation, scheduledOperation } from "../execution/scheduled.js";
import { scheduleRotary } from "./schedule.js";

export const rotaryOnDevice: ScheduledOperation<RotaryProblem, BoundRotary> = scheduledOperation({
  operands: rotary.operands,
  dtypes: ({ dtype }) => [dtype],
  schedule: scheduleRotary,
  kernel: "rotary-pairs",
  tooLarge: "a table or a single head vector is more than the device binds at once",
  rulesBytes: ({ batch, length }) => 4 * batch * length,
  // Positions of the tokens.
  encode: ({ rows }) => new Uint8Array(Int32Array.from(rows).buffer),
});
