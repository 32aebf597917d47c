import { InvalidInputError } from "../errors.js";
import { sharesStorage } from "../tensor/device.js";
import { bytesPerElement } from "../tensor/dtype.js";
import { isDeviceTensor } from "../tensor/host-tensor.js";
import { endOf, isRowMajor, type Layout, rowMajorStrides } from "../tensor/layout.js";
import type { HostTensor, Tensor } from "../tensor/tensor.js";

/**
 * Checks where the tensors of a call lie: what is written may share memory with nothing, and everything
 * is where the target is, but for a source in host memory.
 *
 * @param scales only beside an int8 target
 * @throws InvalidInputError
 */
export function checkMemory(target: Tensor, source: Tensor, scales: Tensor | undefined): void {
  checkNested("target", target);
  if (scales !== undefined) checkNested("scales", scales);
  const onDevice = isDeviceTensor(target);
  if (scales !== undefined && isDeviceTensor(scales) !== onDevice) {
    throw new InvalidInputError("scales", placeOf(target), placeOf(scales));
  }
  if (!onDevice && isDeviceTensor(source)) {
    throw new InvalidInputError("source", `${placeOf(target)}, as the target`, placeOf(source));
  }
  checkApart("source", source, "target", target);
  if (scales === undefined) return;
  checkApart("scales", scales, "target", target);
  checkApart("source", source, "scales", scales);
}

function placeOf(t: Tensor): string {
  return isDeviceTensor(t) ? "a device tensor" : "a host tensor";
}

/** @throws InvalidInputError unless each axis steps over all that smaller steps reach */
function checkNested(argument: string, t: Tensor): void {
  const { shape, strides } = t;
  if (strides === undefined || isRowMajor(t as Layout) || shape.includes(0)) return;
  for (let axis = 0; axis < shape.length; axis++) {
    if (shape[axis] === 1 || (strides[axis] as number) > reachBelow(shape, strides, axis)) continue;
    throw new InvalidInputError(
      argument,
      "strides with which no two elements share memory",
      `[${strides.join(", ")}] for shape [${shape.join(", ")}]`,
    );
  }
}

/** How far the other axes go whose strides are no larger than an axis's. Without arrays: each step of decoding asks. */
function reachBelow(shape: readonly number[], strides: readonly number[], axis: number): number {
  let reach = 0;
  for (let other = 0; other < shape.length; other++) {
    const stride = strides[other] as number;
    if (other === axis || stride > (strides[axis] as number)) continue;
    reach += stride * ((shape[other] as number) - 1);
  }
  return reach;
}

/** @throws InvalidInputError if two tensors lie in one buffer and their ranges overlap */
function checkApart(argument: string, t: Tensor, otherName: string, other: Tensor): void {
  if (!sameBuffer(t, other)) return;
  const [a, b] = [rangeOf(t), rangeOf(other)];
  if (a.from >= b.to || b.from >= a.to) return;
  throw new InvalidInputError(
    argument,
    `memory of its own, apart from the ${otherName}`,
    "memory that overlaps it",
  );
}

function sameBuffer(a: Tensor, b: Tensor): boolean {
  if (isDeviceTensor(a)) return isDeviceTensor(b) && sharesStorage(a, b);
  return !isDeviceTensor(b) && a.data.buffer === b.data.buffer;
}

/** First byte and the byte after the last one that a tensor reaches in its buffer. */
function rangeOf(t: Tensor): { readonly from: number; readonly to: number } {
  const { shape, strides = rowMajorStrides(shape), offset = 0 } = t;
  const layout: Layout = { shape, strides, offset };
  const end = endOf(layout);
  const [bytes, start] = isDeviceTensor(t)
    ? [bytesPerElement(t.dtype), 0]
    : [(t as HostTensor).data.BYTES_PER_ELEMENT, (t as HostTensor).data.byteOffset];
  return end === 0 ? { from: 0, to: 0 } : { from: start + offset * bytes, to: start + end * bytes };
}
