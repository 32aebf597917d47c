/** Storage, pools and uploads on a device in software that does what a GPU's memory does. */
import { cast, InvalidInputError, slice, tensor, toFloat64, transpose, zeros } from "@heed/core";
import { bufferOf, GpuMemory, tensorUsage, usage, wrapBuffer } from "@heed/gpu-memory";
import { expect, test } from "vitest";
import { type FakeBuffer, FakeDevice } from "./fake-device.js";

const memoryOn = (device: FakeDevice, unused?: () => void) =>
  new GpuMemory<FakeBuffer>("test", device, { unused });

test("uploads of every layout read back as they were", async () => {
  const memory = memoryOn(new FakeDevice());
  const base = tensor(
    Float32Array.from({ length: 120 }, (_, i) => i),
    [2, 3, 4, 5],
  );
  for (const t of [
    base,
    transpose(base, [3, 0, 2, 1]),
    slice(base, 3, 2, 4),
    slice(slice(base, 0, 1, 2), 1, 2, 3),
    slice(base, 2, 1, 1),
    tensor(new Uint8Array([1, 0, 7, 1, 0]), [5], { dtype: "bool" }),
    tensor(new Uint16Array([0x3c00, 0x7c00, 1]), [3], { dtype: "float16" }),
    tensor(Int32Array.from([1, -2, 3]), [3], { dtype: "int32" }),
  ]) {
    const uploaded = await memory.upload(t);
    const back = await uploaded.read();
    expect(back.shape).toEqual(t.shape);
    expect(back.dtype).toBe(t.dtype);
    expect(toFloat64(back)).toEqual(toFloat64(t));
    uploaded.dispose();
  }
  await expect(memory.upload(zeros("float64", [2]))).rejects.toThrow(InvalidInputError);
});

test("memory that is shared or resizable is copied before the queue gets it", async () => {
  const memory = memoryOn(new FakeDevice());
  const Resizable = ArrayBuffer as unknown as new (
    bytes: number,
    options: { maxByteLength: number },
  ) => ArrayBuffer;
  for (const buffer of [new Resizable(20, { maxByteLength: 40 }), new SharedArrayBuffer(20)]) {
    const data = new Float32Array(buffer as ArrayBuffer, 4, 3);
    data.set([1, 2, 3]);
    const uploaded = await memory.upload(tensor(data, [3]));
    expect(Array.from(toFloat64(await uploaded.read()))).toEqual([1, 2, 3]);
  }
});

test("allocated memory is zero, also in a buffer that had something else in it", async () => {
  const memory = memoryOn(new FakeDevice());
  const noise = await memory.upload(tensor(new Float32Array(64).fill(7), [64]));
  const buffer = bufferOf(noise);
  noise.dispose();
  const allocated = memory.allocate("float32", [60]);
  expect(bufferOf(allocated)).toBe(buffer);
  expect(toFloat64(await allocated.read())).toEqual(new Float64Array(60));
  expect(toFloat64(await memory.allocate("float16", [3, 5]).read())).toEqual(new Float64Array(15));
  expect(() => memory.allocate("float32", [2 ** 20])).toThrow(/maxBufferSize/);
  expect(() => memory.allocate("float64", [1])).toThrow(InvalidInputError);
});

test("views keep the buffer, and the last one disposed gives it back", async () => {
  const memory = memoryOn(new FakeDevice());
  const whole = await memory.upload(
    tensor(
      Float32Array.from({ length: 12 }, (_, i) => i),
      [3, 4],
    ),
  );
  const row = whole.view?.({ shape: [4], strides: [1], offset: 4 });
  if (!row) throw new Error("no view");
  whole.dispose();
  // The buffer is not idle: another upload gets a different one.
  const other = await memory.upload(tensor(new Float32Array(12).fill(-1), [12]));
  expect(bufferOf(other)).not.toBe(bufferOf(row));
  expect(Array.from(toFloat64(await row.read()))).toEqual([4, 5, 6, 7]);
  const buffer = bufferOf(row);
  row.dispose();
  expect(bufferOf(await memory.upload(tensor(new Float32Array(12), [12])))).toBe(buffer);
});

test("elements are stored in the form that a backend wants, and tensors keep their dtype", async () => {
  const memory = new GpuMemory<FakeBuffer>("test", new FakeDevice(), {
    stored: {
      dtype: (dtype) => (dtype === "float16" ? "float32" : dtype),
      convert: (t) => (t.dtype === "float16" ? cast(t, "float32") : t),
    },
  });
  const halves = tensor(new Uint16Array([0x3c00, 0x4000, 0x4200, 0x4400]), [2, 2], {
    dtype: "float16",
  });
  const uploaded = await memory.upload(halves);
  expect(uploaded.dtype).toBe("float16");
  expect(Array.from(new Float32Array(uploaded.buffer.bytes.buffer, 0, 4))).toEqual([1, 2, 3, 4]);
  const column = slice(uploaded, 1, 1);
  expect(await column.read()).toMatchObject({ dtype: "float16", shape: [2, 1] });
  expect(Array.from(toFloat64(await column.read()))).toEqual([2, 4]);
  const zeroed = memory.allocate("float16", [100]);
  expect(zeroed.buffer.size).toBeGreaterThanOrEqual(400);
  expect(toFloat64(await zeroed.read())).toEqual(new Float64Array(100));
});

test("a tensor that fits into one binding gets a buffer that does", async () => {
  const limits = { maxBufferSize: 2 ** 20, maxStorageBufferBindingSize: 2 ** 17 + 64 };
  const memory = memoryOn(Object.assign(new FakeDevice(), { limits }));
  expect(memory.allocate("bool", [2 ** 17 + 4]).buffer.size).toBe(2 ** 17 + 64);
  expect(memory.allocate("bool", [2 ** 17 + 68]).buffer.size).toBeGreaterThan(2 ** 17 + 68);
});

test("a read that has started survives dispose", async () => {
  const memory = memoryOn(new FakeDevice());
  const t = await memory.upload(tensor(Float32Array.of(1, 2, 3), [3]));
  const reading = t.read();
  t.dispose();
  await memory.upload(tensor(Float32Array.of(9, 9, 9), [3]));
  expect(Array.from(toFloat64(await reading))).toEqual([1, 2, 3]);
});

test("a placed tensor is of this backend, this device and alive", async () => {
  const device = new FakeDevice();
  const memory = memoryOn(device);
  const t = await memory.upload(zeros("float32", [4]));
  expect(memory.place("query", t).layout).toMatchObject({ shape: [4], strides: [1], offset: 0 });
  expect(() => memory.place("query", zeros("float32", [4]))).toThrow(/query.*host tensor/);
  expect(() => memoryOn(new FakeDevice()).place("key", t)).toThrow(/key.*another device/);
  expect(() => new GpuMemory("other", device).place("key", t)).toThrow(/backend test/);
  t.dispose();
  expect(() => memory.place("value", t)).toThrow(/value has been disposed/);
});

test("wrapped buffers stay their owner's, and are read through their layout", async () => {
  const device = new FakeDevice();
  const memory = memoryOn(device);
  const buffer = device.createBuffer({ size: 32, usage: tensorUsage });
  new Float32Array(buffer.bytes.buffer).set([0, 1, 2, 3, 4, 5, 6, 7]);
  const wrapped = wrapBuffer("test", buffer, [2, 2], {
    dtype: "float32",
    strides: [4, 2],
    offset: 1,
  });
  expect(wrapped.buffer).toBe(buffer);
  await expect(wrapped.read()).rejects.toThrow(/device is known/);
  memory.place("query", wrapped);
  expect(Array.from(toFloat64(await wrapped.read()))).toEqual([1, 3, 5, 7]);
  wrapped.dispose();
  expect(buffer.destroyed).toBe(false);
  const plain = device.createBuffer({ size: 16, usage: usage.copySource });
  expect(() => wrapBuffer("test", plain, [4], { dtype: "float32" })).toThrow(/STORAGE/);
  expect(() => wrapBuffer("test", buffer, [9], { dtype: "float32" })).toThrow(/32 bytes/);
  expect(() => wrapBuffer("test", buffer, [-1], { dtype: "float32" })).toThrow(InvalidInputError);
});

test("what the device says is an error of the call, and its buffer is not counted", async () => {
  const device = new FakeDevice();
  const memory = memoryOn(device);
  class GPUOutOfMemoryError {
    readonly message = "none left";
  }
  device.nextError = new GPUOutOfMemoryError();
  await expect(memory.upload(zeros("float32", [2 ** 15]))).rejects.toThrow(/no memory/);
  expect(memory.pool.bytes).toBe(0);
  const pending = memory.faults.orLost(new Promise(() => {}));
  device.lose({ reason: "unknown", message: "reset" });
  await expect(pending).rejects.toThrow(/the device was lost \(unknown\): reset/);
  await expect(memory.upload(zeros("float32", [1]))).rejects.toThrow(/lost/);
});

test("the device is let go of after dispose and the last tensor", async () => {
  let unused = 0;
  const memory = memoryOn(new FakeDevice(), () => {
    unused += 1;
  });
  const t = await memory.upload(zeros("float32", [1]));
  memory.dispose();
  memory.dispose();
  expect(unused).toBe(0);
  t.dispose();
  expect(unused).toBe(1);
});

test("a buffer that is being mapped is not destroyed before that has ended, where the device is lost", async () => {
  const device = new FakeDevice();
  const memory = memoryOn(device);
  const uploaded = await memory.upload(tensor(Float32Array.of(1, 2), [2]));
  let fail: (error: Error) => void = () => {};
  const mapping = new Promise<void>((_, reject) => {
    fail = reject;
  });
  const create = device.createBuffer.bind(device);
  let staging: FakeBuffer | undefined;
  device.createBuffer = (descriptor) => {
    staging = create(descriptor);
    staging.mapAsync = () => mapping;
    return staging;
  };
  const reading = uploaded.read();
  await new Promise((resolve) => setTimeout(resolve, 0));
  device.lose({ reason: "destroyed", message: "gone" });
  await expect(reading).rejects.toMatchObject({ code: "device-lost" });
  expect(staging?.destroyed).toBe(false);
  fail(new Error("aborted"));
  await new Promise((resolve) => setTimeout(resolve, 0));
  expect(staging?.destroyed).toBe(true);
});
