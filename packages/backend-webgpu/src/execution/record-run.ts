import type { DeviceCommands } from "./device-commands.js";
import type { Prepared } from "./prepared.js";
import type { Buffers } from "./recorder.js";

/** Operations of dispatches that are recorded at once: a submission has no more, unless one dispatch has. */
const mostRecordedWork = 1e10;

/**
 * Records the dispatches of a run, in parts that may be submitted apart. Synchronous: when it returns, everything
 * that the run reads may be changed by commands that are recorded, or submitted, later.
 *
 * @param rules the call's small data
 * @param finish records commands after the last dispatch
 * @returns a promise that rejects if the device refuses the commands
 */
export function recordRun(
  commands: DeviceCommands,
  { schedule: { steps }, recorder }: Prepared,
  rules: Uint8Array,
  buffers: Buffers,
  finish: (encoder: GPUCommandEncoder) => void,
): Promise<void> {
  const slot = recorder.begin(rules);
  const parts: Promise<void>[] = [];
  let first = 0;
  do {
    let work = 0;
    let end = first;
    while (end < steps.length && (end === first || work < mostRecordedWork)) {
      work += (steps[end++] as (typeof steps)[number]).work;
    }
    const from = first;
    const record = (encoder: GPUCommandEncoder): void => {
      if (end > from) {
        const pass = encoder.beginComputePass();
        recorder.record(pass, slot, buffers, from, end);
        pass.end();
      }
      if (end === steps.length) finish(encoder);
    };
    parts.push(commands.record("running a plan", record, work));
    first = end;
  } while (first < steps.length);
  return parts.length === 1 ? (parts[0] as Promise<void>) : Promise.all(parts).then(() => {});
}
