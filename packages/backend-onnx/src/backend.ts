import {
  attention,
  type Backend,
  type DeviceMemory,
  type DType,
  defineBackend,
  type HostTensor,
  implement,
  merge,
  rotary,
} from "@heed/core";
import { decideAttention } from "./attention/decide.js";
import { KnownFeeds } from "./attention/feeds.js";
import { planAttention } from "./attention/plan.js";
import type { OnnxContext } from "./context.js";
import type { GpuDevice } from "./device/gpu.js";
import { emptyTensor, uploadTensor } from "./device/tensor.js";
import { decideMerge } from "./merge/decide.js";
import { planMerge } from "./merge/plan.js";
import { decideRotary, planRotary } from "./rotary/plan.js";
import { type LoadedRuntime, runtimeInfo } from "./runtime/load.js";
import { Sessions } from "./runtime/sessions.js";
import type { ProviderTraits } from "./runtime/traits.js";

/**
 * The backend on a loaded runtime. Whether it has memory of its own is known only then: it has where
 * onnxruntime takes tensors that are on its device.
 */
export async function backendOn(loaded: LoadedRuntime): Promise<Backend> {
  const { device, traits } = loaded;
  const provider = defineBackend<OnnxContext>({
    name: "onnx",
    load: () => ({
      loaded,
      sessions: new Sessions(loaded.runtime, loaded.sessionOptions),
      knownFeeds: new KnownFeeds(),
    }),
    info: () => runtimeInfo(loaded),
    operations: {
      attention: implement(attention, {
        decide: (problem, context: OnnxContext) => decideAttention(problem, context.loaded.traits),
        plan: planAttention,
      }),
      rotary: implement(rotary, {
        decide: (problem, context: OnnxContext) => decideRotary(problem, context.loaded.traits),
        plan: planRotary,
      }),
      merge: implement(merge, {
        decide: (problem, context: OnnxContext) => decideMerge(problem, context.loaded.traits),
        plan: planMerge,
      }),
    },
    ...(device && { memory: () => deviceMemory(device, traits) }),
    dispose: ({ sessions }) => {
      // Nothing awaits the release: what onnxruntime fails to release, it keeps.
      sessions
        .release()
        .then(() => loaded.release())
        .catch(() => {});
    },
  });
  return provider.load();
}

function deviceMemory(device: GpuDevice, { float16 }: ProviderTraits): DeviceMemory {
  const stored = (dtype: DType): DType => (dtype === "float16" && !float16 ? "float32" : dtype);
  return {
    upload: async (t: HostTensor) => uploadTensor(device, t, stored(t.dtype)),
    allocate: (dtype, shape) => emptyTensor(device, { dtype, stored: stored(dtype), shape }),
  };
}
