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

/** A Heed backend as a contender. */
export function backendContender(
  name: string,
  provider: () => Promise<AttentionProvider>,
): Contender {
  return { name, kind: "backend", load: async () => loaded(await (await provider()).load()) };
}

function loaded(backend: AttentionBackend): LoadedContender {
  return {
    info: backend.info,
    supports: (problem) => backend.supports(problem),
    plan: async (problem) => planned(backend, await backend.plan(problem)),
    dispose: () => backend.dispose(),
  };
}

function planned(backend: AttentionBackend, plan: AttentionPlan): ContenderPlan {
  return {
    kernel: plan.description.kernel,
    workspaceBytes: plan.description.workspaceBytes,
    place: (inputs) => place(backend, plan, inputs),
    dispose: () => plan.dispose(),
  };
}

const tensorNames = ["query", "key", "value", "mask", "bias"] as const;

async function place(
  backend: AttentionBackend,
  plan: AttentionPlan,
  inputs: AttentionInputs<HostTensor>,
): Promise<PlacedCall> {
  if (!backend.upload) return call(plan, inputs, []);
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
  return call(plan, { ...inputs, ...tensors }, uploaded);
}

function call(
  plan: AttentionPlan,
  inputs: AttentionInputs,
  uploaded: readonly DeviceTensor[],
): PlacedCall {
  return {
    inputs: uploaded.length > 0 ? "resident" : "host",
    run: async () => {
      const { output } = await plan.run(inputs);
      if (!isDeviceTensor(output)) return output;
      try {
        return await output.read();
      } finally {
        output.dispose();
      }
    },
    dispose: () => {
      for (const device of uploaded) device.dispose();
    },
  };
}
