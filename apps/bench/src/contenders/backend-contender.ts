import {
  type AttentionBackend,
  type AttentionInputs,
  type AttentionPlan,
  type AttentionProvider,
  type DeviceTensor,
  type HostTensor,
  isDeviceTensor,
  type Tensor,
} from "@heed/core";
import type { Contender, ContenderPlan, LoadedContender, PlacedCall } from "./contender.js";
import type { ClockSearch, GpuClock } from "./gpu-clock.js";

/**
 * A Heed backend as a contender.
 *
 * @param openClock opens a device's clock, whose device the provider is then given
 */
export function backendContender(
  name: string,
  provider: (device?: GPUDevice) => Promise<AttentionProvider>,
  openClock?: () => Promise<ClockSearch>,
): Contender {
  return {
    name,
    kind: "backend",
    load: async () => {
      const found = await openClock?.();
      const clock = found && "clock" in found ? found.clock : null;
      try {
        const backend = await (await provider(clock?.device)).load();
        return loaded(backend, clock, found ? [clockNote(found)] : []);
      } catch (error) {
        clock?.dispose();
        throw error;
      }
    },
  };
}

/** Which clock times a GPU, in words. */
export function clockNote(found: ClockSearch): string {
  return "clock" in found
    ? "its kernels timed by GPU timestamps, too"
    : `timed by the wall clock alone: ${found.missing}`;
}

function loaded(
  backend: AttentionBackend,
  clock: GpuClock | null,
  clockNotes: readonly string[],
): LoadedContender {
  const { info } = backend;
  return {
    info: { ...info, notes: [...(info.notes ?? []), ...clockNotes] },
    supports: (problem) => backend.supports(problem),
    plan: async (problem) => planned(backend, await backend.plan(problem), clock),
    dispose: () => {
      backend.dispose();
      clock?.dispose();
    },
  };
}

function planned(
  backend: AttentionBackend,
  plan: AttentionPlan,
  clock: GpuClock | null,
): ContenderPlan {
  return {
    kernel: plan.description.kernel,
    workspaceBytes: plan.description.workspaceBytes,
    place: async (inputs) => {
      const call = await place(backend, plan, inputs);
      if (!clock) return call;
      // What was recorded to bring the inputs in is not a call's.
      await clock.read();
      return { ...call, deviceMs: () => clock.read() };
    },
    dispose: () => plan.dispose(),
  };
}

const tensorNames = ["query", "key", "value", "mask", "bias"] as const;

async function place(
  backend: AttentionBackend,
  plan: AttentionPlan,
  inputs: AttentionInputs<HostTensor>,
): Promise<PlacedCall> {
  if (!backend.upload) return call(plan, inputs, [], false);
  const uploaded: DeviceTensor[] = [];
  const tensors: { [name in (typeof tensorNames)[number]]?: Tensor } = {};
  try {
    for (const name of tensorNames) {
      const t = inputs[name];
      if (t === undefined) continue;
      const device = await backend.upload(t);
      uploaded.push(device);
      tensors[name] = device;
    }
  } catch (error) {
    for (const device of uploaded) device.dispose();
    throw error;
  }
  // On a CPU the output is complete when the call is done: reading it is copying, and nothing else.
  const onlyCopies = backend.info.device === "CPU";
  return call(plan, { ...inputs, ...tensors }, uploaded, onlyCopies);
}

/** @param readOnlyCopies whether there are outputs to read, and that is no waiting */
function call(
  plan: AttentionPlan,
  inputs: AttentionInputs,
  uploaded: readonly DeviceTensor[],
  readOnlyCopies: boolean,
): PlacedCall {
  let reading = 0;
  const readMs = (): number => {
    const ms = reading;
    reading = 0;
    return ms;
  };
  return {
    inputs: uploaded.length > 0 ? "resident" : "host",
    run: async () => {
      const { output } = await plan.run(inputs);
      if (!isDeviceTensor(output)) return output;
      const start = performance.now();
      try {
        return await output.read();
      } finally {
        reading += performance.now() - start;
        output.dispose();
      }
    },
    ...(readOnlyCopies && { readMs }),
    dispose: () => {
      for (const device of uploaded) device.dispose();
    },
  };
}
