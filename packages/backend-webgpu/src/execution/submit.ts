import type { Faults } from "@heed/gpu-memory";
import type { Prepared } from "./prepared.js";
import type { Buffers } from "./recorder.js";

/** Operations that may be submitted at once: a driver may take a submission for one piece of work. */
const mostSubmittedWork = 1e10;

/**
 * Submits the dispatches of a run, in as many submissions as their work asks for. Synchronous: when it
 * returns, everything that the run reads may be changed by later submissions.
 *
 * @param rules the call's small data
 * @param finish records commands after the last dispatch
 * @returns a promise that rejects if the device refuses the commands
 */
export function submitRun(
  device: GPUDevice,
  faults: Faults,
  { schedule: { steps }, recorder }: Prepared,
  rules: Uint8Array,
  buffers: Buffers,
  finish: (encoder: GPUCommandEncoder) => void,
): Promise<void> {
  return faults.watch("running a plan", () => {
    const slot = recorder.begin(rules);
    let first = 0;
    do {
      let work = 0;
      let end = first;
      while (end < steps.length && (end === first || work < mostSubmittedWork)) {
        work += (steps[end++] as (typeof steps)[number]).work;
      }
      const encoder = device.createCommandEncoder();
      if (end > first) {
        const pass = encoder.beginComputePass();
        recorder.record(pass, slot, buffers, first, end);
        pass.end();
      }
      if (end === steps.length) finish(encoder);
      device.queue.submit([encoder.finish()]);
      first = end;
    } while (first < steps.length);
  }).accepted;
}
