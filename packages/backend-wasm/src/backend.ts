import { defineBackend, type Provider } from "@heed/core";
import { attentionKernels } from "./attention/attention.js";
import { defaultLimits, type SharingLimits } from "./attention/plan.js";
import type { LoadedWasm } from "./load.js";
import { allocateZeros, upload } from "./memory/tensor.js";
import { mergeKernels } from "./merge/merge.js";
import { projectionKernels } from "./projection/projection.js";
import { rmsNormKernels } from "./rms-norm/rms-norm.js";
import { rotaryKernels } from "./rotary/rotary.js";
import { scatterKernels } from "./scatter/scatter.js";

/**
 * The backend over what was loaded. It computes on the calling thread and does not yield, so that runs never
 * overlap.
 *
 * @param load gives what the backend lives on, which then belongs to it
 * @param limits when problems are shared by threads; tests make every problem large enough
 */
export function wasmProvider(
  load: () => LoadedWasm | Promise<LoadedWasm>,
  limits: SharingLimits = defaultLimits,
): Provider {
  return defineBackend<LoadedWasm>({
    name: "wasm",
    load,
    info: ({ info }) => info,
    operations: {
      attention: attentionKernels(limits),
      merge: mergeKernels,
      rmsNorm: rmsNormKernels,
      rotary: rotaryKernels,
      projection: projectionKernels(limits),
      scatter: scatterKernels,
    },
    memory: ({ memory }) => ({
      upload: async (t) => upload(memory, t),
      allocate: (dtype, shape) => allocateZeros(memory, dtype, shape),
    }),
    dispose: ({ pool }) => pool?.dispose(),
  });
}
