import {
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionProblem,
  type DeviceTensor,
  DisposedError,
  type FloatDType,
  InvalidInputError,
  isDeviceTensor,
  statisticsDType,
  type Tensor,
} from "@heed/core";
import type { Dimension, ModelValue } from "../model/model.js";
import type { Runtime, RuntimeTensor } from "../runtime/runtime.js";
import type { GpuDevice } from "./gpu.js";
import { emptyTensor, OnnxTensor } from "./tensor.js";

const tensorNames = ["query", "key", "value", "mask", "bias"] as const;

/**
 * Whether any of a call's tensors is on the device: its outputs then are.
 *
 * @param device of the backend; null where it has none
 * @throws InvalidInputError, DisposedError naming a tensor that this backend cannot read
 */
export function isResident(inputs: AttentionInputs, device: GpuDevice | null): boolean {
  let resident = false;
  for (const name of tensorNames) {
    const t = inputs[name];
    if (t === undefined || !isDeviceTensor(t)) continue;
    if (!(t instanceof OnnxTensor) || device === null) {
      throw new InvalidInputError(
        name,
        device ? "a host tensor, or one that upload or onnxTensor gave" : "a host tensor",
        `a tensor of backend ${t.backend}`,
      );
    }
    if (t.disposed) throw new DisposedError(name);
    t.adopt(device);
    resident = true;
  }
  return resident;
}

/** A tensor's buffer as onnxruntime takes it. */
export function deviceFeed(
  { Tensor }: Runtime,
  argument: string,
  t: OnnxTensor,
  stored: string,
  dims: readonly number[],
): RuntimeTensor {
  if (t.stored !== stored) {
    throw new InvalidInputError(
      argument,
      `elements stored as ${stored}, since the device has no float16`,
      `a buffer of ${t.stored}`,
    );
  }
  if (!Tensor.fromGpuBuffer) throw new InvalidInputError("runtime", "Tensor.fromGpuBuffer", "none");
  return Tensor.fromGpuBuffer(t.buffer, { dataType: stored, dims });
}

/** Tensors for a session to write its outputs into, which are then the call's. */
export interface DeviceOutputs {
  readonly fetches: Readonly<Record<string, RuntimeTensor>>;
  readonly outputs: AttentionOutputs<DeviceTensor>;
  dispose(): void;
}

/** @param values the graph's outputs */
export function deviceOutputs(
  runtime: Runtime,
  device: GpuDevice,
  problem: AttentionProblem,
  values: readonly ModelValue[],
): DeviceOutputs {
  const { batch, queryLength, keyLength } = problem;
  const named: Readonly<Record<string, number>> = { batch, queryLength, keyLength };
  const size = (dimension: Dimension): number =>
    typeof dimension === "number" ? dimension : (named[dimension] as number);
  const fetches: Record<string, RuntimeTensor> = {};
  const outputs: Record<string, OnnxTensor> = {};
  for (const { name, dtype, dims } of values) {
    const sizes = dims.map(size);
    const isLogSumExp = name === "logSumExp";
    const t = emptyTensor(device, {
      dtype: isLogSumExp ? statisticsDType(problem.dtype) : problem.dtype,
      stored: dtype as FloatDType,
      shape: isLogSumExp ? sizes.slice(0, 3) : sizes,
    });
    outputs[name] = t;
    fetches[name] = deviceFeed(runtime, name, t, dtype, sizes);
  }
  return {
    fetches,
    outputs: outputs as unknown as AttentionOutputs<DeviceTensor>,
    dispose: () => {
      for (const t of Object.values(outputs)) t.dispose();
    },
  };
}

export function onDevice(t: Tensor): t is OnnxTensor {
  return t instanceof OnnxTensor;
}
