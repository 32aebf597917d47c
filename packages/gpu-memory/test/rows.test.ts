/** Rows that are written in place on a device. */
import {
  type DeviceTensor,
  type DType,
  type HostTensor,
  isHeedError,
  reshape,
  slice,
  type Tensor,
  tensor,
  toFloat64,
  transpose,
} from "@heed/core";
import { GpuMemory, RowWriter } from "@heed/gpu-memory";
import { expect, test } from "vitest";
import { available } from "../../backend-webgpu/test/available.js";
import { unrequestedDevice } from "../../backend-webgpu/test/devices.js";

const arrays = {
  float32: (count: number, from: number) =>
    Float32Array.from({ length: count }, (_, i) => from + i / 2),
  // Bits of finite numbers.
  float16: (count: number, from: number) =>
    Uint16Array.from({ length: count }, (_, i) => 0x2c00 + from + i),
  bool: (count: number, from: number) =>
    Uint8Array.from({ length: count }, (_, i) => ((from + i) % 5 < 2 ? 1 : 0)),
} as const;

/** Writes rows in host memory, element by element. */
function write(target: HostTensor, source: HostTensor, slots: Int32Array): void {
  const [, heads, rows, size] = target.shape as [number, number, number, number];
  const n = source.shape[2] as number;
  const at = ({ strides, offset }: HostTensor, index: readonly number[]): number =>
    index.reduce((sum, one, axis) => sum + one * (strides[axis] as number), offset);
  for (const [token, slot] of slots.entries()) {
    if (slot === -1) continue;
    for (let head = 0; head < heads; head++) {
      for (let column = 0; column < size; column++) {
        const to = at(target, [Math.floor(slot / rows), head, slot % rows, column]);
        const from = at(source, [Math.floor(token / n), head, token % n, column]);
        target.data[to] = source.data[from] as number;
      }
    }
  }
}

/** A view of a tensor, wherever it is. */
type View = (t: Tensor) => Tensor;

const whole: View = (t) => slice(t, 0, 0) as Tensor;

function swapped(a: number, b: number): View {
  const axes = [0, 1, 2, 3].map((axis) => (axis === a ? b : axis === b ? a : axis));
  return (t) => transpose(t, axes) as Tensor;
}

function part(...ranges: readonly (readonly [from: number, end: number])[]): View {
  return (t) => ranges.reduce((own, [from, end], axis) => slice(own, axis, from, end) as Tensor, t);
}

/** Views of a target and of a source: rows before heads, parts that start within a word, columns apart. */
const layouts: readonly (readonly [
  name: string,
  target: readonly number[],
  source: readonly number[],
  view: View,
  viewSource: View,
])[] = [
  ["row-major", [2, 3, 6, 5], [2, 3, 2, 5], whole, whole],
  ["rows before heads", [2, 6, 3, 5], [2, 2, 3, 5], swapped(1, 2), swapped(1, 2)],
  [
    "parts that start within a word, past a binding's alignment",
    [3, 3, 49, 7],
    [2, 3, 4, 9],
    part([1, 3], [0, 3], [40, 46], [1, 6]),
    part([0, 2], [0, 3], [1, 3], [3, 8]),
  ],
  ["columns apart", [2, 3, 5, 6], [2, 3, 5, 2], swapped(2, 3), swapped(2, 3)],
];

/** Entry · 6 + row of each of two rows of two batch entries; one is left out. */
const slots = Int32Array.of(4, 1, 6 + 5, -1);

test.skipIf(!available).each(layouts)("%s", async (_, shape, sourceShape, view, viewSource) => {
  const device = await unrequestedDevice();
  const memory = new GpuMemory<GPUBuffer>("test", device);
  const writer = new RowWriter<GPUBuffer>(device, memory);
  const made = (dtype: DType, of: readonly number[], from: number): HostTensor => {
    const count = of.reduce((product, size) => product * size, 1);
    return tensor(arrays[dtype as "float32"](count, from), of, { dtype: dtype as "float32" });
  };
  for (const dtype of ["float32", "float16", "bool"] as const) {
    const hosts = [made(dtype, shape, 0), made(dtype, sourceShape, 500)] as const;
    const wholes = await Promise.all(hosts.map((t) => memory.upload(t)));
    const [target, source] = [view(wholes[0] as Tensor), viewSource(wholes[1] as Tensor)];
    await writer.write(memory.place("target", target), memory.place("source", source), {
      rows: 6,
      slots,
    });
    write(view(hosts[0]) as HostTensor, viewSource(hosts[1]) as HostTensor, slots);
    // Nothing but the rows has changed, in the buffer as a whole.
    for (const [at, t] of wholes.entries()) {
      expect(toFloat64(await t.read())).toEqual(toFloat64(hosts[at] as HostTensor));
    }
    for (const t of [target as DeviceTensor, source as DeviceTensor, ...wholes]) t.dispose();
  }
  memory.dispose();
  device.destroy();
});

test.skipIf(!available)(
  "a source in the target's buffer, or of another type, is refused",
  async () => {
    const device = await unrequestedDevice();
    const memory = new GpuMemory<GPUBuffer>("test", device);
    const writer = new RowWriter<GPUBuffer>(device, memory);
    const whole = memory.allocate("float32", [2, 1, 3, 4]);
    const halves = [0, 1].map((at) => slice(whole, 0, at, at + 1));
    const other = memory.allocate("float16", [1, 1, 3, 4]);
    const flat = reshape(whole, [2, 1, 3, 4]);
    const write = (target: DeviceTensor, source: DeviceTensor): unknown => {
      try {
        const places = { rows: 3, slots: Int32Array.of(0, 1, 2) };
        return writer.write(memory.place("target", target), memory.place("source", source), places);
      } catch (error) {
        return isHeedError(error, "invalid-input") && (error as Error).message;
      }
    };
    expect(write(halves[0] as DeviceTensor, halves[1] as DeviceTensor)).toMatch(
      /source.*a buffer of its own.*a view of the target's buffer/s,
    );
    expect(write(flat, other)).toMatch(/source.*stored as float32.*float16/s);
    for (const t of [...halves, other, flat, whole]) t.dispose();
    memory.dispose();
    device.destroy();
  },
);
