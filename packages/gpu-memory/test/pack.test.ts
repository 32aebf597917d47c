/** Copies of layouts into row-major order on a device. */
import {
  type DeviceTensor,
  type DType,
  elementCount,
  type HostTensor,
  rowMajorStrides,
  slice,
  tensor,
  toFloat64,
  transpose,
} from "@heed/core";
import { GpuMemory, Packer } from "@heed/gpu-memory";
import { expect, test } from "vitest";
import { available } from "../../backend-webgpu/test/available.js";
import { unrequestedDevice } from "../../backend-webgpu/test/devices.js";

const elements = {
  float32: (count: number) => Float32Array.from({ length: count }, (_, i) => i / 2),
  int32: (count: number) => Int32Array.from({ length: count }, (_, i) => i * 65537 - 99),
  // Bits of finite numbers.
  float16: (count: number) => Uint16Array.from({ length: count }, (_, i) => 0x2c00 + i),
  bool: (count: number) => Uint8Array.from({ length: count }, (_, i) => (i % 5 < 2 ? 1 : 0)),
} as const;

test.skipIf(!available)("every dtype in every layout comes out row-major", async () => {
  const device = await unrequestedDevice();
  const memory = new GpuMemory<GPUBuffer>("test", device);
  const packer = new Packer<GPUBuffer>(device, memory);
  const views: readonly ((t: DeviceTensor) => DeviceTensor)[] = [
    (t) => slice(t, 0, 0),
    (t) => transpose(t, [2, 0, 1]),
    (t) => slice(slice(t, 0, 1), 2, 3, 8),
    (t) => slice(t, 1, 4, 5),
    (t) => slice(t, 1, 2, 2),
    // Repeated rows, from an offset of more than a binding's alignment.
    (t) => t.view?.({ shape: [3, 7], strides: [0, 2], offset: 131 }) as DeviceTensor,
  ];
  for (const dtype of ["float32", "int32", "float16", "bool"] as const satisfies DType[]) {
    const whole: HostTensor = tensor(elements[dtype](3 * 5 * 11), [3, 5, 11], { dtype });
    const uploaded = await memory.upload(whole);
    for (const view of views) {
      const given = view(uploaded);
      const { pooled, accepted } = packer.pack(memory.place("t", given));
      const { shape } = given;
      const layout = { dtype, shape, strides: rowMajorStrides(shape), offset: 0 };
      const packed = memory.handOut(layout, pooled, accepted);
      const [want, got] = [await given.read(), await packed.read()];
      expect(toFloat64(want)).toHaveLength(elementCount(shape));
      expect(toFloat64(got)).toEqual(toFloat64(want));
      packed.dispose();
      given.dispose();
    }
    uploaded.dispose();
  }
  memory.dispose();
  device.destroy();
});
