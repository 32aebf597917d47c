import { BackendUnavailableError } from "@heed/core";
import { GraphBuilder } from "../model/builder.js";
import { encodeModel } from "../model/model.js";
import { messageOf } from "./errors.js";
import { exclusively } from "./exclusive.js";
import type { OnnxProvider } from "./options.js";
import type { Runtime, RuntimeSession, SessionOptions } from "./runtime.js";

/**
 * Runs a model of one node: whether a runtime starts, and has a provider, shows only then.
 *
 * @returns the session that ran it, for the caller to release: onnxruntime-web 1.30 gives its GPUDevice
 *   up with its last session, and the next one makes another, on which the buffers of the first are of
 *   no use. Who keeps this one holds on to it.
 * @throws BackendUnavailableError
 */
export async function probe(
  runtime: Runtime,
  provider: OnnxProvider,
  options: SessionOptions,
): Promise<RuntimeSession> {
  try {
    return await doubling(runtime, options, false);
  } catch (cause) {
    throw new BackendUnavailableError(
      `onnxruntime's provider ${provider} does not work here: ${messageOf(cause)}`,
      hints[provider],
      { cause },
    );
  }
}

const hints: Readonly<Record<OnnxProvider, string>> = {
  wasm: "serve onnxruntime-web's .wasm and .mjs files, or say where they are with its env.wasm.wasmPaths",
  cpu: "use onnxruntime-node on a platform that it has binaries for, or provider wasm",
  webgpu: "use a runtime that has a WebGPU adapter, or provider wasm or cpu",
  webnn: "use a browser that has WebNN, or provider webgpu or wasm",
};

/** Whether a GPU provider's device can hold float16: the feature shader-f16. */
export async function holdsFloat16(runtime: Runtime, options: SessionOptions): Promise<boolean> {
  try {
    // A failure is an answer here, not an error to print.
    const session = await doubling(runtime, { ...options, logSeverityLevel: 4 }, true);
    await exclusively(runtime, () => session.release());
    return true;
  } catch {
    return false;
  }
}

/** A session that was seen to add 3 + 3 in float32, through float16 if asked. */
function doubling(
  runtime: Runtime,
  options: SessionOptions,
  throughFloat16: boolean,
): Promise<RuntimeSession> {
  const g = new GraphBuilder(18);
  const x = g.input("x", "float32", [1]);
  const sum = g.op("Add", [x, x]);
  const half = throughFloat16 ? g.cast(sum, "float32", "float16") : sum;
  const y = throughFloat16 ? g.cast(half, "float16", "float32") : half;
  g.output("y", y, "float32", [1]);
  const model = encodeModel(g.build());
  return exclusively(runtime, async () => {
    const session = await runtime.InferenceSession.create(model, options);
    try {
      const three = new runtime.Tensor("float32", Float32Array.of(3), [1]);
      const given = (await session.run({ x: three })).y?.data as Float32Array | undefined;
      if (given?.[0] !== 6) throw new Error(`3 + 3 gave ${given?.[0]}`);
      return session;
    } catch (error) {
      await session.release();
      throw error;
    }
  });
}
