import {
  attention,
  type Backend,
  defineBackend,
  implement,
  merge,
  projection,
  rmsNorm,
  rotary,
  scatter,
} from "@heed/core";
import { decideAttention } from "./attention/decide.js";
import { KnownFeeds } from "./attention/feeds.js";
import { planAttention } from "./attention/plan.js";
import type { OnnxContext } from "./context.js";
import { type OnnxMemory, onnxMemory } from "./device/memory.js";
import { decideMerge } from "./merge/decide.js";
import { planMerge } from "./merge/plan.js";
import { backendName } from "./name.js";
import { decideProjection, planProjection } from "./projection/plan.js";
import { decideRmsNorm, planRmsNorm } from "./rms-norm/plan.js";
import { decideRotary, planRotary } from "./rotary/plan.js";
import { type LoadedRuntime, runtimeInfo } from "./runtime/load.js";
import { Sessions } from "./runtime/sessions.js";
import { decideScatter, planScatter } from "./scatter/plan.js";

/**
 * The backend on a loaded runtime. Whether it has memory of its own is known only then: it has where
 * onnxruntime takes tensors that are on its device.
 */
export async function backendOn(loaded: LoadedRuntime): Promise<Backend> {
  const { device, traits } = loaded;
  const provider = defineBackend<OnnxContext>({
    name: backendName,
    load: () => ({
      loaded,
      sessions: new Sessions(loaded.runtime, loaded.sessionOptions),
      knownFeeds: new KnownFeeds(),
      memory: device && onnxMemory(device, traits.float16, () => ignoring(loaded.release())),
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
      projection: implement(projection, {
        decide: (problem, context: OnnxContext) => decideProjection(problem, context.loaded.traits),
        plan: planProjection,
      }),
      rmsNorm: implement(rmsNorm, {
        decide: (problem, context: OnnxContext) => decideRmsNorm(problem, context.loaded.traits),
        plan: planRmsNorm,
      }),
      scatter: implement(scatter, {
        decide: (problem, context: OnnxContext) => decideScatter(problem, context),
        plan: planScatter,
      }),
    },
    ...(device && { memory: ({ memory }: OnnxContext) => (memory as OnnxMemory).tensors }),
    dispose: ({ sessions, memory }) => {
      // Tensors that were handed out keep the device, which onnxruntime gives up with its last session.
      const rest = (): unknown => (memory ? memory.tensors.dispose() : loaded.release());
      ignoring(sessions.release().then(rest));
    },
  });
  return provider.load();
}

/** Nothing awaits a release: what onnxruntime fails to release, it keeps. */
function ignoring(release: Promise<unknown>): void {
  release.catch(() => {});
}
