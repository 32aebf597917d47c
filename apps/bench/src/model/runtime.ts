import { importRuntime, type Runtime, type RuntimeSession } from "@heed/backend-onnx/runtime";
import type { BackendInfo } from "@heed/core";

/** ONNX Runtime as it runs a model's own nodes: on the CPU, with the threads that backends have as well. */
export interface ModelRuntime {
  readonly runtime: Runtime;
  readonly sessionOptions: Readonly<Record<string, unknown>>;
  readonly info: BackendInfo;
}

/** @throws BackendUnavailableError (rejects) where neither package of onnxruntime is installed */
export async function openRuntime(threads: number): Promise<ModelRuntime> {
  const native = await openNative();
  const runtime = native ?? (await importRuntime("wasm"));
  if (!native) runtime.env.wasm.numThreads = threads;
  const { versions } = runtime.env;
  return {
    runtime,
    sessionOptions: {
      executionProviders: [native ? "cpu" : "wasm"],
      graphOptimizationLevel: "all",
      logSeverityLevel: 3,
      ...(native && { intraOpNumThreads: threads, interOpNumThreads: 1 }),
    },
    info: {
      runtime: native
        ? `onnxruntime-node ${versions?.node}`
        : `onnxruntime-web ${versions?.web ?? versions?.common}`,
      device: "CPU",
      features: [],
      threads: native ? threads : runtime.env.wasm.numThreads || 1,
    },
  };
}

/** onnxruntime-node where it is installed, which runs in Node and its kind alone. */
async function openNative(): Promise<Runtime | null> {
  const { process } = globalThis as { process?: { versions?: { node?: string } } };
  if (!process?.versions?.node) return null;
  return importRuntime("cpu").catch(() => null);
}

/** A session of a model's nodes. */
export async function createSession(
  { runtime, sessionOptions }: ModelRuntime,
  model: Uint8Array,
): Promise<RuntimeSession> {
  return (await runtime.InferenceSession.create(model, sessionOptions as never)) as RuntimeSession;
}
