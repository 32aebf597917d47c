import {
  DisposedError,
  type HostTensor,
  InvalidInputError,
  isDeviceTensor,
  rowMajorStrides,
  storageOf,
  type Tensor,
} from "@heed/core";
import { LocalStorage } from "./local-storage.js";

/** A tensor in host memory: itself, a view of the memory of this process, or a copy from the workers. */
export async function toHost(t: Tensor): Promise<HostTensor> {
  return isDeviceTensor(t) ? (inProcess(t) ?? t.read()) : t;
}

/** A view of a tensor that is in this process; null for one that workers hold. */
export function inProcess(t: Tensor): HostTensor | null {
  if (!isDeviceTensor(t)) return t;
  if (t.disposed) throw new DisposedError("tensor");
  const { dtype, shape, strides = rowMajorStrides(shape), offset = 0 } = t;
  return storageOf(t, LocalStorage)?.view({ dtype, shape, strides, offset }) ?? null;
}

/** @throws InvalidInputError for a tensor that is not in this process */
export function ofProcess(argument: string, t: Tensor): HostTensor {
  const host = inProcess(t);
  if (host !== null) return host;
  throw new InvalidInputError(argument, "a tensor in this process", "one that workers hold");
}
