import {
  cast,
  contiguous,
  type DType,
  type HostTensor,
  isContiguous,
  type Tensor,
  type TypedArray,
} from "@heed/core";
import { zeroOrOne } from "../runtime/booleans.js";
import { runtimeTensor } from "../runtime/native-data.js";
import type { Runtime, RuntimeDType, RuntimeTensor } from "../runtime/runtime.js";
import { deviceFeed, onDevice } from "./call.js";

/**
 * A tensor as an input of a session: its buffer, if it is on the device, else its elements.
 *
 * @param name of the tensor in errors
 * @param dtype the elements' type in the graph; a host tensor of another one is converted
 * @param shape sizes of the graph's input
 */
export function feed(
  runtime: Runtime,
  name: string,
  t: Tensor,
  dtype: DType,
  shape: readonly number[],
): RuntimeTensor {
  if (onDevice(t)) return deviceFeed(runtime, name, t, dtype, shape);
  const given = cast(t as HostTensor, dtype);
  const dense = isContiguous(given) ? given : contiguous(given);
  return hostFeed(runtime, dtype === "bool" ? zeroOrOne(dense) : dense, shape);
}

/**
 * A tensor of onnxruntime over a host tensor's elements, in the order in which they lie in memory.
 *
 * @param t without gaps
 * @param dims sizes of its axes in that order
 */
export function hostFeed(runtime: Runtime, t: HostTensor, dims: readonly number[]): RuntimeTensor {
  const { data, offset, dtype } = t;
  let count = 1;
  for (const size of dims) count *= size;
  const own = (data.length === count ? data : data.subarray(offset, offset + count)) as TypedArray;
  return runtimeTensor(runtime, dtype as RuntimeDType, own, dims);
}
