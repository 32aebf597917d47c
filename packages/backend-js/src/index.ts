/**
 * Attention in plain TypeScript: runs where nothing else can.
 *
 * @module
 */
import { defineBackend, merge, type Provider, referenceKernels } from "@heed/core";
import { attentionKernels } from "./attention/kernels.js";
import { projectionKernels } from "./projection/kernels.js";
import { rmsNormKernels } from "./rms-norm/kernels.js";
import { rotaryKernels } from "./rotary/kernels.js";
import { scatterKernels } from "./scatter/kernels.js";

/** The JavaScript backend: the whole semantics, on the calling thread, everywhere. */
export function js(): Provider {
  return defineBackend<null>({
    name: "js",
    load: () => null,
    info: () => ({ runtime: "JavaScript", device: "CPU", features: [], threads: 1 }),
    operations: {
      attention: attentionKernels,
      // JavaScript computes in float64, as the reference does, and merging reads everything once.
      merge: referenceKernels(merge),
      projection: projectionKernels,
      rmsNorm: rmsNormKernels,
      rotary: rotaryKernels,
      scatter: scatterKernels,
    },
  });
}
