import { type SupportReason, UnsupportedError } from "@heed/core";
import { backendName } from "../name.js";
import type { Schedule } from "./steps.js";

/** Why problems with float64 tensors are refused. */
export function noFloat64(): SupportReason {
  return {
    code: "dtype",
    message: "WGSL has no float64",
    hint: "cast to float32, or use the js backend",
  };
}

/** Why a problem is refused whose smallest part is larger than a binding. */
export function tooLarge(message: string): SupportReason {
  return { code: "size", message };
}

/**
 * A schedule for a layout that only a call shows, when the problem has been accepted.
 *
 * @param schedule null where even the smallest part is larger than a binding
 * @throws UnsupportedError if there is none
 */
export function scheduleOrThrow(schedule: Schedule | null, message: string): Schedule {
  if (schedule) return schedule;
  throw new UnsupportedError([{ backend: backendName, reasons: [tooLarge(message)] }]);
}
