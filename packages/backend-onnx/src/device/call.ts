import {
  type DeviceTensor,
  type DType,
  InvalidInputError,
  isDeviceTensor,
  type Tensor,
} from "@heed/core";
import type { Runtime, RuntimeTensor } from "../runtime/runtime.js";
import type { GpuDevice } from "./gpu.js";
import { emptyTensor, OnnxTensor } from "./tensor.js";

/**
 * Whether any of a call's tensors is on the device: its outputs then are. The device of a wrapped buffer
 * becomes known here.
 *
 * @param device the backend's; null where it has none
 * @throws InvalidInputError naming a tensor that this backend cannot read
 */
export function isResident(reads: readonly Tensor[], device: GpuDevice | null): boolean {
  if (device === null) return false;
  let resident = false;
  for (const t of reads) {
    if (!isDeviceTensor(t)) continue;
    if (!(t instanceof OnnxTensor)) {
      throw new InvalidInputError(
        "tensor",
        "a host tensor, or one that upload or onnxTensor gave",
        `another tensor of backend ${t.backend}`,
      );
    }
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

/** Tensors for a session to write its outputs into, which are then those of the call. */
export interface DeviceOutputs {
  readonly fetches: Readonly<Record<string, RuntimeTensor>>;
  readonly outputs: Readonly<Record<string, DeviceTensor>>;
  dispose(): void;
}

/** An output of a graph, and the tensor that a caller gets for it. */
export interface OutputForm {
  readonly name: string;
  /** Type of the elements in the buffer. */
  readonly stored: DType;
  /** Sizes that the graph writes. */
  readonly dims: readonly number[];
  readonly dtype: DType;
  readonly shape: readonly number[];
}

export function deviceOutputs(
  runtime: Runtime,
  device: GpuDevice,
  forms: readonly OutputForm[],
): DeviceOutputs {
  const fetches: Record<string, RuntimeTensor> = {};
  const outputs: Record<string, OnnxTensor> = {};
  for (const { name, dtype, stored, shape, dims } of forms) {
    const t = emptyTensor(device, { dtype, stored, shape });
    outputs[name] = t;
    fetches[name] = deviceFeed(runtime, name, t, stored, dims);
  }
  return {
    fetches,
    outputs,
    dispose: () => {
      for (const t of Object.values(outputs)) t.dispose();
    },
  };
}

export function onDevice(t: Tensor): t is OnnxTensor {
  return t instanceof OnnxTensor;
}
