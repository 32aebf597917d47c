import { contiguous, type DType, type HostTensor, tensor } from "@heed/core";
import { expect, test } from "vitest";

const arrays: Readonly<Record<DType, unknown>> = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  int32: Int32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

/** A tensor over elements that tell where they are. */
function over(
  dtype: DType,
  count: number,
  shape: readonly number[],
  strides: readonly number[],
  offset: number,
): HostTensor {
  // Bits of NaN among float16's, and bytes other than 0 and 1, are copied as they are.
  const Elements = arrays[dtype] as Float32ArrayConstructor;
  const data = Elements.from({ length: count }, (_, i) => (i * 7919) % 65536);
  return tensor(data, shape, { dtype, strides, offset });
}

function elementwise({ data, shape, strides, offset }: HostTensor): number[] {
  const walk = (axis: number, at: number): number[] =>
    axis === shape.length
      ? [data[at] as number]
      : Array.from({ length: shape[axis] as number }, (_, i) =>
          walk(axis + 1, at + i * (strides[axis] as number)),
        ).flat();
  return walk(0, offset);
}

test.each<[string, readonly number[], readonly number[]]>([
  ["heads and lengths swapped", [2, 3, 5, 30], [450, 30, 90, 1]],
  ["one of three packed", [2, 3, 5, 4], [180, 4, 36, 1]],
  ["gaps after rows", [1, 2, 3, 40], [999, 150, 50, 1]],
  ["short rows with gaps", [2, 2, 3, 5], [90, 42, 7, 1]],
  ["every other element", [2, 3, 4, 5], [120, 40, 10, 2]],
  ["sizes of 1 between", [3, 1, 2, 1, 30], [100, 7, 40, 9, 1]],
  ["repeated rows", [2, 3, 4, 30], [0, 0, 30, 1]],
  ["one element repeated", [4, 5], [0, 0]],
  ["a repeated last axis", [3, 2, 4], [2, 1, 0]],
  ["columns first", [40, 30], [1, 40]],
  ["one axis with a step", [7], [3]],
  ["nothing", [2, 0, 3], [9, 9, 2]],
])("a copy has the elements of %s", (_, shape, strides) => {
  for (const dtype of Object.keys(arrays) as DType[]) {
    for (const offset of [0, 3]) {
      const t = over(dtype, 1600, shape, strides, offset);
      const copy = contiguous(t);
      // A copy of float16 bits is a Float16Array where the runtime has one.
      const { data } = copy;
      const elements =
        dtype === "float16" ? new Uint16Array(data.buffer, data.byteOffset, data.length) : data;
      expect(Array.from(elements)).toEqual(elementwise(t));
      expect(copy).toMatchObject({ dtype, shape, offset: 0 });
    }
  }
});
