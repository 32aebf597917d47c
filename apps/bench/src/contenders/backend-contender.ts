import {
  type AnyOperation,
  type Attention,
  type AttentionBackend,
  type AttentionInputs,
  type AttentionProvider,
  attention as attentionOperation,
  type Backend,
  createAttention,
  type DeviceTensor,
  outputsOf,
  type Plan,
  type Problem,
  type Support,
} from "@heed/core";
import { operationOf } from "../operations/index.js";
import type { PreparedProcedure } from "../operations/operation.js";
import type {
  Contender,
  ContenderPlan,
  InputPlacement,
  LoadedContender,
  PlacedCall,
} from "./contender.js";
import type { ClockSearch, GpuClock } from "./gpu-clock.js";
import { toHost } from "./to-host.js";

export interface ContenderOptions {
  /** Default `"backend"`. What a peer's calls cost through core's choice is not measured. */
  readonly kind?: Contender["kind"];
  /** Opens a device's clock, whose device the provider is then given. */
  readonly openClock?: (() => Promise<ClockSearch>) | undefined;
  /** Finds the clock of a device that is there once the provider has loaded, and is not ours. */
  readonly clockAfterLoad?: () => ClockSearch;
  /** ms for the backend to measure its own choices before a case is planned; null or left out: it does not. */
  readonly tune?: number | null;
  /** Memory that reports name as the place of the inputs. Default: the provider's own, if it has any. */
  readonly inputs?: InputPlacement;
}

/**
 * A provider as a contender. Its plans are timed by themselves, and those of a Heed backend also through an
 * attention that has this backend alone.
 */
export function backendContender(
  name: string,
  provider: (device?: GPUDevice) => Promise<AttentionProvider>,
  options: ContenderOptions = {},
): Contender {
  const { kind = "backend", openClock, clockAfterLoad } = options;
  return {
    name,
    kind,
    load: async () => {
      const opening = await openClock?.();
      const own = opening && "clock" in opening ? opening.clock : null;
      try {
        const opened = await open(await provider(own?.device));
        const found = opening ?? clockAfterLoad?.();
        const clock = found && "clock" in found ? found.clock : null;
        return loaded(opened, options, clock, found ? [clockNote(found)] : [], () =>
          own?.dispose(),
        );
      } catch (error) {
        own?.dispose();
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
  /** One that computes attention alone refuses problems of other operations. */
  readonly backend: Backend;
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
      // One case is measured at a time; a step of decoding has a plan for each of its operations.
      planCacheSize: 4,
    });
    return { attention, backend: backend as unknown as Backend };
  } catch (error) {
    // The backend's own error says more than core's, which only says that no backend is available.
    throw problem ?? error;
  }
}

function loaded(
  opened: Opened,
  options: ContenderOptions,
  clock: GpuClock | null,
  clockNotes: readonly string[],
  release: () => void,
): LoadedContender {
  const { attention, backend } = opened;
  return {
    ...(options.kind !== "peer" && { backend: backend.name }),
    // Measurements of its choices come later.
    get info() {
      const { info } = backend;
      return { ...info, notes: [...(info.notes ?? []), ...clockNotes] };
    },
    supports: (problem) => supportOf(backend, problem),
    plan: async (problem, inputs) => {
      const { procedure } = operationOf(problem);
      return procedure
        ? prepared(options, await procedure.prepare(opened, problem, inputs))
        : planned(opened, options, problem, await planOf(backend, problem, inputs, options), clock);
    },
    dispose: async () => {
      await attention.dispose();
      release();
    },
  };
}

function planOf(
  backend: Backend,
  problem: Problem,
  inputs: unknown,
  { tune = null }: ContenderOptions,
): Plan | Promise<Plan> {
  return tune === null
    ? backend.plan(problem)
    : backend.plan(problem, { tune: { budget: tune, inputs } });
}

/** Whether a procedure can be done shows when it is prepared: backends do not know it. */
function supportOf(backend: Backend, problem: Problem): Support {
  return operationOf(problem).procedure ? { ok: true } : backend.supports(problem);
}

/** No device's clock tells the time of several calls. */
function prepared(
  { kind }: ContenderOptions,
  { workspaceBytes, ...procedure }: PreparedProcedure,
): ContenderPlan {
  return { ...procedure, workspaceBytes: kind === "peer" ? null : workspaceBytes };
}

function planned(
  opened: Opened,
  { kind, inputs: where }: ContenderOptions,
  problem: Problem,
  plan: Plan,
  clock: GpuClock | null,
): ContenderPlan {
  return {
    kernel: plan.description.kernel,
    // A peer does not say.
    workspaceBytes: kind === "peer" ? null : plan.description.workspaceBytes,
    place: async (inputs) => {
      const { attention, readMs, ...placed } = await place(opened, problem, plan, inputs);
      const call: PlacedCall =
        kind === "peer"
          ? { ...placed, inputs: where ?? placed.inputs }
          : { ...placed, attention, ...(readMs && { readMs }) };
      if (!clock) return call;
      // Discards the timestamps recorded while inputs were uploaded: they belong to no call.
      await clock.read();
      return { ...call, deviceMs: () => clock.read() };
    },
    dispose: () => plan.dispose(),
  };
}

async function place(
  { attention, backend }: Opened,
  problem: Problem,
  plan: Plan,
  inputs: unknown,
): Promise<PlacedCall> {
  const { definition, replaceTensors } = operationOf(problem);
  const names = outputsOf(definition.operands(problem)).map(({ name }) => name);
  const through = (call: unknown): Promise<unknown> =>
    definition === attentionOperation
      ? attention.run(call as AttentionInputs)
      : attention.apply(definition as AnyOperation, call);
  const host = async () => toHost(await through(inputs), names);
  if (!backend.upload || !replaceTensors) {
    return {
      inputs: "host",
      run: async () => toHost(await plan.run(inputs), names),
      attention: { host },
      dispose: () => {},
    };
  }
  const upload = backend.upload.bind(backend);
  const uploaded: DeviceTensor[] = [];
  const release = () => {
    for (const device of uploaded) device.dispose();
  };
  let resident: unknown;
  try {
    resident = await replaceTensors(inputs, async (t) => {
      const device = await upload(t);
      uploaded.push(device);
      return device;
    });
  } catch (error) {
    release();
    throw error;
  }
  let reading = 0;
  const readMs = (): number => {
    const ms = reading;
    reading = 0;
    return ms;
  };
  return {
    inputs: "resident",
    run: async () => {
      const outputs = await plan.run(resident);
      const start = performance.now();
      try {
        return await toHost(outputs, names);
      } finally {
        reading += performance.now() - start;
      }
    },
    // On a CPU the outputs are complete when the call is done: reading them is copying, and nothing else.
    ...(backend.info.device === "CPU" && { readMs }),
    attention: {
      host,
      resident: async () => toHost(await through(resident), names),
    },
    dispose: release,
  };
}
