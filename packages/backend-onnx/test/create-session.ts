import type { GraphBuilder } from "../src/model/builder.js";
import { encodeModel } from "../src/model/model.js";
import type { OnnxProvider } from "../src/runtime/options.js";
import type { Runtime, RuntimeSession } from "../src/runtime/runtime.js";

/** A graph on a provider itself, without what the backend works around; silent, since failures are expected. */
export function createSession(
  runtime: Runtime,
  provider: OnnxProvider,
  g: GraphBuilder,
  device?: GPUDevice,
): Promise<RuntimeSession> {
  return runtime.InferenceSession.create(encodeModel(g.build()), {
    executionProviders: [device ? { name: provider, device } : provider],
    graphOptimizationLevel: "all",
    logSeverityLevel: 4,
    extra: { session: { disable_cpu_ep_fallback: provider === "webgpu" ? "1" : "0" } },
  });
}
