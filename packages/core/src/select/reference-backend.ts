import { attention } from "../attention/operation.js";
import { merge } from "../merge/operation.js";
import type { Provider } from "../operation/backend.js";
import { defineBackend } from "../operation/define-backend.js";
import { referenceKernels } from "../operation/reference-kernels.js";
import { projection } from "../projection/operation.js";
import { rmsNorm } from "../rms-norm/operation.js";
import { rotary } from "../rotary/operation.js";
import { scatter } from "../scatter/operation.js";

/** The float64 reference as a backend: every operation and every problem, slowly. */
export function reference(): Provider {
  return defineBackend<null>({
    name: "reference",
    load: () => null,
    info: () => ({ runtime: "JavaScript", device: "CPU", features: [], threads: 1 }),
    operations: {
      attention: referenceKernels(attention),
      merge: referenceKernels(merge),
      projection: referenceKernels(projection),
      rmsNorm: referenceKernels(rmsNorm),
      rotary: referenceKernels(rotary),
      scatter: referenceKernels(scatter),
    },
  });
}
