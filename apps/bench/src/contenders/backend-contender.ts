import {
  type Attention,
  type AttentionBackend,
  type AttentionInputs,
  type AttentionPlan,
  type AttentionProvider,
  createAttention,
  type DeviceTensor,
  type HostTensor,
  isDeviceTensor,
  type Tensor,
} from "@heed/core";
import type { Contender, ContenderPlan, LoadedContender, PlacedCall } from "./contender.js";
import type { ClockSearch, GpuClock } from "./gpu-clock.js";

/**
 * A Heed backend as a contender. Its plans are timed by themselves, and the same calls through an
 * attention that has this backend alone.
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
        const opened = await open(await provider(clock?.device));
        return loaded(opened, clock, found ? [clockNote(found)] : []);
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

/** An attention and its only backend, which belongs to it. */
interface Opened {
  readonly attention: Attention;
  readonly backend: AttentionBackend;
}

/** @throws (rejects) what the provider's `load` rejects with */
async function open(provider: AttentionProvider): Promise<Opened> {
  let backend: AttentionBackend | null = null;
  let problem: unknown;
  const watched: AttentionProvider = {
    name: provider.name,
    load: async () => {
      try {
        backend = await provider.load();
        return backend;
      } catch (error) {
        problem = error;
        throw error;
      }
    },
  };
  try {
    const attention = await createAttention({
      backends: [watched],
      // Every output is judged before it is timed; what is wrong is to be shown, not left out.
      selfTest: false,
      // One case is measured at a time.
      planCacheSize: 1,
    });
    return { attention, backend: backend as unknown as AttentionBackend };
  } catch (error) {
    // Of the backend itself, rather than that none is available.
    throw problem ?? error;
  }
}

function loaded(
  opened: Opened,
  clock: GpuClock | null,
  clockNotes: readonly string[],
): LoadedContender {
  const { attention, backend } = opened;
  const { info } = backend;
  return {
    backend: backend.name,
    info: { ...info, notes: [...(info.notes ?? []), ...clockNotes] },
    supports: (problem) => backend.supports(problem),
    plan: async (problem) => planned(opened, await backend.plan(problem), clock),
    dispose: async () => {
      await attention.dispose();
      clock?.dispose();
    },
  };
}

function planned(opened: Opened, plan: AttentionPlan, clock: GpuClock | null): ContenderPlan {
  return {
    kernel: plan.description.kernel,
    workspaceBytes: plan.description.workspaceBytes,
    place: async (inputs) => {
      const call = await place(opened, plan, inputs);
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
  { attention, backend }: Opened,
  plan: AttentionPlan,
  inputs: AttentionInputs<HostTensor>,
): Promise<PlacedCall> {
  const host = async () => (await attention.run(inputs)).output;
  if (!backend.upload) {
    return {
      inputs: "host",
      run: async () => (await plan.run(inputs)).output as HostTensor,
      attention: { host },
      dispose: () => {},
    };
  }
  const uploaded: DeviceTensor[] = [];
  const tensors: { [name in (typeof tensorNames)[number]]?: Tensor } = {};
  const release = () => {
    for (const device of uploaded) device.dispose();
  };
  try {
    for (const name of tensorNames) {
      const t = inputs[name];
      if (t === undefined) continue;
      const device = await backend.upload(t);
      uploaded.push(device);
      tensors[name] = device;
    }
  } catch (error) {
    release();
    throw error;
  }
  const resident = { ...inputs, ...tensors };
  let reading = 0;
  const readMs = (): number => {
    const ms = reading;
    reading = 0;
    return ms;
  };
  return {
    inputs: "resident",
    run: async () => {
      const { output } = await plan.run(resident);
      const start = performance.now();
      try {
        return await toHost(output);
      } finally {
        reading += performance.now() - start;
      }
    },
    // On a CPU the output is complete when the call is done: reading it is copying, and nothing else.
    ...(backend.info.device === "CPU" && { readMs }),
    attention: {
      host,
      resident: async () => toHost((await attention.run(resident)).output),
    },
    dispose: release,
  };
}

/** The tensor in JavaScript's memory; one of a device is read and disposed. */
async function toHost(output: Tensor): Promise<HostTensor> {
  if (!isDeviceTensor(output)) return output;
  try {
    return await output.read();
  } finally {
    output.dispose();
  }
}
