import {
  broadcastTo,
  contiguous,
  type DeviceStorage,
  type DeviceTensor,
  deviceTensor,
  fromFloat64,
  InvalidInputError,
  isContiguous,
  mergeHeads,
  reshape,
  slice,
  splitHeads,
  type TensorLayout,
  tensor,
  toFloat64,
  transpose,
} from "@heed/core";
import { describe, expect, test } from "vitest";

const iota = (...shape: number[]) =>
  fromFloat64(
    Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i),
    shape,
    "float32",
  );

/** The elements one by one, by the definition of strides. */
function elements(t: Omit<TensorLayout, "dtype"> & { data: ArrayLike<number> }): number[] {
  const values: number[] = [];
  const walk = (axis: number, at: number): void => {
    if (axis === t.shape.length) {
      values.push(t.data[at] as number);
      return;
    }
    for (let i = 0; i < (t.shape[axis] as number); i++) {
      walk(axis + 1, at + i * (t.strides[axis] as number));
    }
  };
  walk(0, t.offset);
  return values;
}

describe("copies", () => {
  const t = iota(2, 3, 4, 20);
  test.each<[string, () => ReturnType<typeof iota>]>([
    ["row-major", () => t],
    ["heads and lengths exchanged", () => transpose(t, [0, 2, 1, 3])],
    ["the last axis first", () => transpose(t, [3, 0, 1, 2])],
    ["a slice of the last axis", () => slice(t, 3, 2, 19)],
    ["a slice of an inner axis", () => slice(t, 1, 1, 2)],
    ["one element of the last axis", () => slice(t, 3, 5, 6)],
    ["repeated along the last axis", () => broadcastTo(slice(t, 3, 3, 4), [2, 3, 4, 5])],
    ["repeated along inner axes", () => broadcastTo(iota(1, 3, 1, 4), [2, 3, 30, 4])],
    ["repeated whole", () => broadcastTo(tensor([7], [1]), [3, 40])],
    ["a scalar", () => tensor([7], [])],
    ["no elements", () => slice(t, 2, 1, 1)],
    ["packed heads", () => splitHeads(slice(iota(1, 5, 24), 2, 8, 16), 2)],
  ])("of %s are the elements that strides say", (_, make) => {
    const view = make();
    const expected = elements(view);
    const copy = contiguous(view);
    expect([...copy.data].slice(copy.offset, copy.offset + expected.length)).toEqual(expected);
    expect(isContiguous(copy)).toBe(true);
    expect([...toFloat64(view)]).toEqual(expected);
  });

  test("keep every bit of float16, NaN's payload and −0 included", () => {
    const bits = [0x7e01, 0x8000, 0xfc00, 0x0001, 0x7fff, 0x3c00];
    const t = tensor(Uint16Array.from(bits), [2, 3], { dtype: "float16" });
    const { data } = contiguous(transpose(t, [1, 0]));
    const copied = new Uint16Array(data.buffer, data.byteOffset, data.length);
    expect([...copied]).toEqual([0x7e01, 0x0001, 0x8000, 0x7fff, 0xfc00, 0x3c00]);
  });

  test("keep NaN's payload of float32", () => {
    const data = new Float32Array(Uint32Array.of(0x7fc00001, 0xffc12345).buffer);
    const copy = contiguous(broadcastTo(tensor(data, [2]), [2, 2]));
    expect([...new Uint32Array(copy.data.buffer)]).toEqual([
      0x7fc00001, 0xffc12345, 0x7fc00001, 0xffc12345,
    ]);
  });
});

describe("reshape", () => {
  test("is a view of what is row-major", () => {
    const t = slice(iota(4, 6), 0, 1, 3);
    const view = reshape(t, [3, 2, 2]);
    expect(view).toMatchObject({ shape: [3, 2, 2], strides: [4, 2, 1], offset: 6 });
    expect(view.data).toBe(t.data);
    expect(reshape(tensor([5], []), [1, 1]).shape).toEqual([1, 1]);
    expect(reshape(iota(2, 0), [0, 7]).shape).toEqual([0, 7]);
  });

  test.each<[string, () => unknown, string]>([
    ["another number of elements", () => reshape(iota(2, 3), [4, 2]), "shape"],
    ["a size to be worked out", () => reshape(iota(2, 3), [-1]), "shape"],
    ["what is not row-major", () => reshape(transpose(iota(2, 3), [1, 0]), [6]), "t"],
  ])("refuses %s", (_, run, argument) => {
    const error = (() => {
      try {
        run();
      } catch (error) {
        return error;
      }
    })();
    expect(error).toBeInstanceOf(InvalidInputError);
    expect((error as InvalidInputError).argument).toBe(argument);
  });
});

describe("views of device tensors", () => {
  /** Memory that is a JavaScript array. */
  class Memory implements DeviceStorage {
    readonly backend = "toy";
    readonly data: Float32Array = Float32Array.from({ length: 24 }, (_, i) => i);
    released = 0;
    async read({ dtype, shape, strides, offset }: TensorLayout) {
      return contiguous({ dtype, shape, strides, offset, data: this.data });
    }
    release(): void {
      this.released += 1;
    }
  }
  const read = async (t: DeviceTensor) => [...toFloat64(await t.read())];

  test("have the layout that the same views of host tensors have", async () => {
    const memory = new Memory();
    const t = deviceTensor(memory, { dtype: "float32", shape: [2, 3, 4] });
    const host = tensor(memory.data, [2, 3, 4]);
    const pairs = [
      [transpose(t, [2, 0, 1]), transpose(host, [2, 0, 1])],
      [slice(t, 1, 1, 3), slice(host, 1, 1, 3)],
      [splitHeads(t, 2), splitHeads(host, 2)],
      [mergeHeads(splitHeads(t, 2)), mergeHeads(splitHeads(host, 2))],
      [reshape(t, [6, 4]), reshape(host, [6, 4])],
      [broadcastTo(slice(t, 0, 1), [5, 3, 4]), broadcastTo(slice(host, 0, 1), [5, 3, 4])],
      [slice(transpose(t, [1, 0, 2]), 0, 2), slice(transpose(host, [1, 0, 2]), 0, 2)],
    ] as const;
    for (const [onDevice, onHost] of pairs) {
      expect(onDevice.shape).toEqual(onHost.shape);
      expect(await read(onDevice)).toEqual([...toFloat64(onHost)]);
    }
  });

  test("keep the memory alive until the last one is disposed", () => {
    const memory = new Memory();
    const t = deviceTensor(memory, { dtype: "float32", shape: [2, 3, 4] });
    const view = slice(t, 0, 1);
    t.dispose();
    t.dispose();
    expect(memory.released).toBe(0);
    expect(() => slice(t, 0, 1)).toThrow(/disposed/);
    const second = transpose(view, [0, 2, 1]);
    view.dispose();
    expect(memory.released).toBe(0);
    second.dispose();
    expect(memory.released).toBe(1);
  });

  test("reach no element outside of the tensor", () => {
    const t = slice(deviceTensor(new Memory(), { dtype: "float32", shape: [24] }), 0, 4, 20);
    const view = (shape: readonly number[], strides: readonly number[], offset: number) =>
      t.view?.({ shape, strides, offset });
    expect(view([4], [5], 4)?.shape).toEqual([4]);
    expect(view([2, 0], [100, 1], 0)?.shape).toEqual([2, 0]);
    expect(view([1000], [0], 19)?.shape).toEqual([1000]);
    for (const [shape, strides, offset] of [
      [[1], [1], 3],
      [[1], [1], 20],
      [[4], [6], 4],
      [[1], [1], -1],
      [[1], [1], 4.5],
      [[0], [1], Number.NaN],
      [[2], [-1], 6],
      [[2], [1, 1], 4],
      [[2 ** 31], [0], 4],
    ] as const) {
      expect(() => view(shape, strides, offset)).toThrow(InvalidInputError);
    }
    for (const layout of [undefined, null, 7, {}, { shape: [1], strides: [1] }]) {
      expect(() => t.view?.(layout as never)).toThrow(InvalidInputError);
    }
  });

  test("cannot merge heads that no strides can merge", () => {
    const t = deviceTensor(new Memory(), { dtype: "float32", shape: [1, 2, 3, 4] });
    expect(() => mergeHeads(t)).toThrow(InvalidInputError);
    const without = { backend: "x", dtype: "float32", shape: [2], read() {}, dispose() {} };
    expect(() => slice(without as never, 0, 1)).toThrow(/whose tensors have views/);
  });
});

describe("views that cannot be made", () => {
  const packed = iota(2, 3, 4);
  test.each<[argument: string, expected: RegExp, make: () => unknown]>([
    ["heads", /a divisor of 4/, () => splitHeads(packed, 3)],
    ["heads", /a divisor of 4/, () => splitHeads(packed, 0)],
    ["heads", /a divisor of 4/, () => splitHeads(packed, -2)],
    ["heads", /a divisor of 4/, () => splitHeads(packed, 0.5)],
    ["axes", /0 to 2/, () => transpose(packed, [0, 1])],
    ["axes", /0 to 2/, () => transpose(packed, [0, 1, 2, 3])],
    ["axes", /0 to 2/, () => transpose(packed, [0, 1, 1])],
    ["axes", /0 to 2/, () => transpose(packed, [0, 1, 3])],
    ["axes", /0 to 2/, () => transpose(packed, [0, 1, -1])],
    ["axes", /0 to 2/, () => transpose(packed, [0, 1, 0.5])],
    ["axes", /0 to 2/, () => transpose(packed, "012" as never)],
    ["axis", /0 to 2/, () => slice(packed, 3, 0)],
    ["mine", /broadcasts to \[2, 3, 5\]/, () => broadcastTo(packed, [2, 3, 5], "mine")],
    ["mine", /broadcasts to \[3, 4\]/, () => broadcastTo(packed, [3, 4], "mine")],
    ["strides", /one stride for each of 1 axes/, () => tensor([1, 2], [2], { strides: [1, 1] })],
    ["strides", /one stride for each of 1 axes/, () => tensor([1, 2], [2], { strides: [] })],
    ["strides", /integers ≥ 0/, () => tensor([1, 2], [2], { strides: [-1] })],
    ["strides", /integers ≥ 0/, () => tensor([1, 2], [2], { strides: [0.5] })],
  ])("name %s", (argument, expected, make) => {
    expect(make).toThrow(InvalidInputError);
    expect(make).toThrow(expect.objectContaining({ argument }));
    expect(make).toThrow(expected);
  });
});

describe("merged heads", () => {
  const shares = (a: { data: unknown }, b: { data: unknown }) => a.data === b.data;
  test("are a view where strides allow it, and a copy elsewhere", () => {
    const cases: readonly (readonly [ReturnType<typeof iota>, boolean])[] = [
      [splitHeads(iota(2, 3, 8), 2), true],
      [splitHeads(iota(2, 3, 8), 8), true],
      [splitHeads(iota(2, 3, 8), 1), true],
      [iota(2, 1, 3, 4), true],
      [iota(2, 4, 3, 1), true],
      [iota(2, 4, 1, 3), true],
      [iota(2, 2, 3, 4), false],
      [transpose(splitHeads(iota(2, 4, 8), 2), [0, 1, 3, 2]), false],
    ];
    for (const [t, isView] of cases) {
      const merged = mergeHeads(t);
      const [b, h, l, d] = t.shape as [number, number, number, number];
      expect(merged.shape).toEqual([b, l, h * d]);
      expect(shares(merged, t)).toBe(isView);
      expect(elements(merged as never)).toEqual(elements(transpose(t, [0, 2, 1, 3]) as never));
    }
  });
});

describe("whether a tensor is contiguous", () => {
  test("does not depend on axes of size 1, nor on strides where there is nothing", () => {
    const data = new Float32Array(8);
    expect(isContiguous(tensor(data, [1, 4], { strides: [99, 1] }))).toBe(true);
    expect(isContiguous(tensor(data, [4, 0], { strides: [7, 1] }))).toBe(true);
    expect(isContiguous(tensor(data, [4], { strides: [2] }))).toBe(false);
    const t = tensor(data, [2, 4]);
    expect(contiguous(t)).toBe(t);
  });
});
