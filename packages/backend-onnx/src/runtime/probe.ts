import { BackendUnavailableError } from "@heed/core";
import { messageOf } from "../errors.js";
import { GraphBuilder } from "../graph/builder.js";
import { encodeModel } from "../model/model.js";
import { exclusively } from "./exclusive.js";
import type { OnnxProvider } from "./options.js";
import type { Runtime, RuntimeSession, SessionOptions } from "./runtime.js";

/**
 * Runs a model of one node: whether a runtime starts, and has a provider, shows only then.
 *
 * @throws BackendUnavailableError
 */
export async function probe(
  runtime: Runtime,
  provider: OnnxProvider,
  options: SessionOptions,
): Promise<void> {
  try {
    const sum = await double(runtime, options, false);
    if (sum !== 6) throw new Error(`3 + 3 gave ${sum}`);
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
    // That it fails is an answer, not an error to print.
    return (await double(runtime, { ...options, logSeverityLevel: 4 }, true)) === 6;
  } catch {
    return false;
  }
}

/**
 * A session that runs nothing. onnxruntime-web 1.30 gives its GPUDevice up with its last session, and the
 * next one makes another, on which the buffers of the first are of no use: this one holds on to it.
 */
export function holdDevice(runtime: Runtime, options: SessionOptions): Promise<RuntimeSession> {
  const model = doublingModel(false);
  return exclusively(runtime, () => runtime.InferenceSession.create(model, options));
}

/** 3 + 3 in float32, through float16 if asked. */
async function double(
  runtime: Runtime,
  options: SessionOptions,
  throughFloat16: boolean,
): Promise<number> {
  const model = doublingModel(throughFloat16);
  return exclusively(runtime, async () => {
    const session = await runtime.InferenceSession.create(model, options);
    try {
      const three = new runtime.Tensor("float32", Float32Array.of(3), [1]);
      const { y } = await session.run({ x: three });
      return Number((y?.data as Float32Array | undefined)?.[0]);
    } finally {
      await session.release();
    }
  });
}

function doublingModel(throughFloat16: boolean): Uint8Array {
  const g = new GraphBuilder(18);
  const x = g.input("x", "float32", [1]);
  const sum = g.op("Add", [x, x]);
  const half = throughFloat16 ? g.cast(sum, "float32", "float16") : sum;
  const y = throughFloat16 ? g.cast(half, "float16", "float32") : half;
  g.output("y", y, "float32", [1]);
  return encodeModel(g.build());
}
