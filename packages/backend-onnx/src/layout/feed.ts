import {
  cast,
  contiguous,
  type DType,
  type HostTensor,
  isContiguous,
  isDeviceTensor,
  type Tensor,
  type TypedArray,
} from "@heed/core";
import type { ResidentCall } from "../device/resident.js";
import { zeroOrOne } from "../runtime/booleans.js";
import { runtimeTensor } from "../runtime/native-data.js";
import type { Runtime, RuntimeDType, RuntimeTensor } from "../runtime/runtime.js";
import { type AxisOrder, canonicalOrder, storedDims } from "./axis-order.js";

/** The runtime that a call's tensors are made for. */
export interface FeedContext {
  readonly runtime: Runtime;
  /** Null if all of the call's tensors are in host memory. */
  readonly resident: ResidentCall | null;
}

/**
 * A tensor as an input of a session: its buffer, if it is on the device, else its elements.
 *
 * @param name of the tensor in errors
 * @param dtype the elements' type in the graph; a host tensor of another one is converted
 * @param shape sizes of the graph's input, before they are put into `order`
 * @param order of the axes that the graph reads: the canonical one, or the tensor's own by {@link storedOrder}
 */
export function feed(
  { runtime, resident }: FeedContext,
  name: string,
  t: Tensor,
  dtype: DType,
  shape: readonly number[],
  order: AxisOrder = canonicalOrder,
): RuntimeTensor {
  if (resident && isDeviceTensor(t)) return resident.feed(name, t, dtype, shape, order);
  const given = t as HostTensor;
  if (order !== canonicalOrder) return hostFeed(runtime, given, storedDims(shape, order));
  const converted = cast(given, dtype);
  const dense = isContiguous(converted) ? converted : contiguous(converted);
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
