import {
  type AttentionInputs,
  elementCount,
  float16BitsToNumber,
  type HostTensor,
  holdsBits,
  numberToFloat16Bits,
  type TypedArray,
  writeValues,
} from "@heed/core";

/** Index in a tensor's data of its element number `at`, counted row-major. */
function dataIndex(t: HostTensor, at: number): number {
  let index = t.offset;
  let rest = at;
  for (let axis = t.shape.length - 1; axis >= 0; axis--) {
    const size = t.shape[axis] as number;
    index += (rest % size) * (t.strides[axis] as number);
    rest = Math.floor(rest / size);
  }
  return index;
}

/**
 * Tensors of the same layout with other elements, over copies of their arrays; arrays that they share
 * stay shared, and so do elements.
 *
 * @param replace gets an element, its row-major index and its tensor
 */
export function rewriteElements(
  tensors: readonly HostTensor[],
  replace: (old: number, at: number, t: HostTensor) => number,
): HostTensor[] {
  const copies = new Map<TypedArray, TypedArray>();
  return tensors.map((t) => {
    const data = copies.get(t.data) ?? t.data.slice();
    copies.set(t.data, data);
    const bits = holdsBits(t.data);
    const count = elementCount(t.shape);
    for (let at = 0; at < count; at++) {
      const index = dataIndex(t, at);
      const stored = t.data[index] as number;
      const old = bits ? float16BitsToNumber(stored) : stored;
      const value = replace(old, at, t);
      // Elements that stay need no rounding; NaN is written, whose bits may be others.
      if (value !== old || Object.is(value, -0) !== Object.is(old, -0)) {
        writeValues([value], data, index, t.dtype);
      }
    }
    return { ...t, data };
  });
}

/**
 * The same call with its arrays in the middle of larger ones: tensors, lengths, offsets and values of
 * heads. Arrays that tensors share stay shared.
 *
 * @param zone elements before and after
 * @param fill what stands there; as near to it as the array can hold
 */
export function embedArrays(
  inputs: AttentionInputs<HostTensor>,
  zone: number,
  fill: number,
): AttentionInputs<HostTensor> {
  const embedded = new Map<TypedArray, TypedArray>();
  const embed = <A extends TypedArray>(array: A): A => {
    const known = embedded.get(array);
    if (known) return known as A;
    const wide = array.constructor as new (length: number) => A;
    const around = new wide(array.length + 2 * zone);
    around.fill(holdsBits(around) ? numberToFloat16Bits(fill) : fill);
    const data = around.subarray(zone, zone + array.length) as A;
    data.set(array as never);
    embedded.set(array, data);
    return data;
  };
  return Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => {
      if (ArrayBuffer.isView(value)) return [name, embed(value as TypedArray)];
      if (isHost(value)) return [name, { ...value, data: embed(value.data) }];
      return [name, value];
    }),
  ) as unknown as AttentionInputs<HostTensor>;
}

function isHost(value: unknown): value is HostTensor {
  return typeof value === "object" && value !== null && "data" in value;
}
