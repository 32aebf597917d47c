import { pendingEncodes, type WebGpuBackend, webgpu, webgpuTensor } from "@heed/backend-webgpu";
import {
  type AttentionInputs,
  createAttention,
  type DeviceTensor,
  DisposedError,
  describeProblem,
  type HostTensor,
  InvalidInputError,
  isDeviceTensor,
  toFloat64,
} from "@heed/core";
import { mostPassedOver, usage } from "@heed/gpu-memory";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { available } from "./available.js";
import { makeCall } from "./calls.js";
import { unrequestedDevice } from "./devices.js";
import { expectPass } from "./passes.js";

describe.skipIf(!available)("tensors on the device", () => {
  let device: GPUDevice;
  let backend: WebGpuBackend;
  /** Bytes of all buffers that were made and not destroyed. */
  let bytes = 0;
  let allocations = 0;

  beforeAll(async () => {
    device = await unrequestedDevice();
    const create = device.createBuffer.bind(device);
    device.createBuffer = (descriptor) => {
      const buffer = create(descriptor);
      allocations += 1;
      bytes += descriptor.size;
      const destroy = buffer.destroy.bind(buffer);
      buffer.destroy = () => {
        bytes -= descriptor.size;
        return destroy();
      };
      return buffer;
    };
    backend = await webgpu({ device }).load();
  });
  afterAll(() => {
    backend.dispose();
    device.destroy();
  });

  /** Somebody else's buffer, with the tensor's elements from a byte offset. */
  function foreign(t: HostTensor, start = 0): GPUBuffer {
    const data = new Uint8Array(t.data.buffer, t.data.byteOffset, t.data.byteLength);
    const size = start + Math.ceil(data.length / 4) * 4;
    const buffer = device.createBuffer({
      size,
      usage: usage.storage | usage.copySource | usage.copyTarget,
    });
    const padded = new Uint8Array(Math.ceil(data.length / 4) * 4);
    padded.set(data);
    device.queue.writeBuffer(buffer, start, padded);
    return buffer;
  }

  const passes = (call: AttentionInputs<HostTensor>, output: HostTensor) =>
    expectPass(call, { output });

  test("outputs stay where inputs are, and read() is what brings them back", async () => {
    const attention = await createAttention({ backends: [webgpu({ allowFallbackAdapter: true })] });
    const own = await webgpu({ allowFallbackAdapter: true }).load();
    const call = makeCall({ lengths: [9, 30] });
    const plan = await own.plan(describeProblem(call));
    const key = await own.upload(call.key);
    const { output } = await plan.run({ ...call, key });
    expect(isDeviceTensor(output)).toBe(true);
    passes(call, await (output as DeviceTensor).read());
    key.dispose();
    key.dispose();
    await expect(key.read()).rejects.toThrow(DisposedError);
    await expect(plan.run({ ...call, key })).rejects.toThrow(DisposedError);
    // Disposing the backend leaves tensors that were handed out.
    own.dispose();
    passes(call, await (output as DeviceTensor).read());
    (output as DeviceTensor).dispose();
    await attention.dispose();
  });

  test.each([
    ["float32", 0],
    ["float32", 300],
    ["float16", 0],
    ["float16", 34],
  ] as const)("foreign buffers of %s, from byte %i, in and out", async (dtype, start) => {
    const call = makeCall({ heads: [4, 2], lengths: [7, 33], sizes: [20, 12], dtype });
    const elements = dtype === "float16" ? 2 : 4;
    const wrap = (t: HostTensor) =>
      webgpuTensor(foreign(t, start - (start % 4)), t.shape, {
        dtype,
        offset: (start - (start % 4)) / elements,
      });
    const plan = await backend.plan(describeProblem(call));
    const inputs = { query: wrap(call.query), key: wrap(call.key), value: wrap(call.value) };
    const { output } = await plan.run(inputs);
    passes(call, await (output as DeviceTensor).read());

    const target = device.createBuffer({ size: 8192, usage: usage.storage | usage.copySource });
    const out = webgpuTensor(target, [1, 4, 7, 12], { dtype, offset: 512 / elements });
    const encoder = device.createCommandEncoder();
    plan.encode(encoder, inputs, { output: out });
    device.queue.submit([encoder.finish()]);
    const read = await out.read();
    expect(read.dtype).toBe(dtype);
    passes(call, read);
    plan.dispose();
  });

  test("a mask in a foreign buffer, read through its own strides", async () => {
    const call = makeCall({ lengths: [5, 11] });
    const mask = Uint8Array.from({ length: 3 + 5 * 16 }, (_, i) => (i % 3 === 0 ? 0 : 1));
    const host: HostTensor = {
      dtype: "bool",
      shape: [5, 11],
      strides: [16, 1],
      offset: 3,
      data: mask,
    };
    const buffer = foreign({ ...host, shape: [83], strides: [1], offset: 0 });
    const wrapped = webgpuTensor(buffer, [5, 11], { dtype: "bool", strides: [16, 1], offset: 3 });
    const plan = await backend.plan(describeProblem({ ...call, mask: host }));
    const { output } = await plan.run({ ...call, mask: wrapped });
    passes({ ...call, mask: host }, await (output as DeviceTensor).read());
    expect(toFloat64(await wrapped.read())).toEqual(toFloat64(host));
  });

  test("encodes into a caller's pass, several calls before one submission", async () => {
    const rules = { causal: true, queryOffset: [0] };
    const call = { ...makeCall({ lengths: [3, 40] }), ...rules };
    const inputs = {
      ...rules,
      query: await backend.upload(call.query),
      key: await backend.upload(call.key),
      value: await backend.upload(call.value),
    };
    const plan = await backend.plan(describeProblem(call));
    const targets = Array.from({ length: 20 }, () =>
      device.createBuffer({ size: 512, usage: usage.storage | usage.copySource }),
    );
    const outs = targets.map((buffer) => webgpuTensor(buffer, [1, 2, 3, 16], { dtype: "float32" }));
    const record = () => {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (const [offset, output] of outs.entries()) {
        plan.encode(pass, { ...inputs, queryOffset: [offset] }, { output });
      }
      pass.end();
      device.queue.submit([encoder.finish()]);
    };
    record();
    const before = allocations;
    for (let i = 0; i < 10; i++) record();
    expect(allocations).toBe(before);
    for (const [offset, out] of outs.entries()) {
      passes({ ...call, queryOffset: [offset] }, await out.read());
    }
    expect(outs.length).toBeLessThan(pendingEncodes);
    plan.dispose();
  });

  test("a thousand runs allocate nothing but the uploads of a turn", async () => {
    const call = makeCall({ heads: [4, 2], lengths: [1, 50] });
    const problem = describeProblem({ ...call, kvLengths: [50] });
    const plan = await backend.plan(problem);
    const key = await backend.upload(call.key);
    const step = async (i: number) => {
      const { output } = await plan.run({ ...call, key, kvLengths: [1 + (i % 50)] });
      (output as DeviceTensor).dispose();
    };
    for (let i = 0; i < 3; i++) await step(i);
    const [before, held] = [allocations, bytes];
    for (let i = 0; i < 1000; i++) await step(i);
    // Calls of one turn of the event loop wait together, each with a query of its own, up to a bound.
    expect(allocations - before).toBeLessThanOrEqual(mostPassedOver);
    expect(bytes - held).toBeLessThanOrEqual(mostPassedOver * 4096);
    plan.dispose();
    key.dispose();
  });

  test("what is wrong with a tensor is named", async () => {
    const call = makeCall({ lengths: [2, 2] });
    const plan = await backend.plan(describeProblem(call));
    const buffer = device.createBuffer({ size: 64, usage: usage.storage });
    const plain = device.createBuffer({ size: 64, usage: usage.copySource });
    expect(() => webgpuTensor(plain, [4], { dtype: "float32" })).toThrow(/STORAGE/);
    expect(() => webgpuTensor(buffer, [17], { dtype: "float32" })).toThrow(/64 bytes/);
    expect(() => webgpuTensor(buffer, [4], { dtype: "float64" })).toThrow(InvalidInputError);
    expect(() => webgpuTensor(buffer, [4, -1], { dtype: "float32" })).toThrow(/shape/);
    await expect(webgpuTensor(buffer, [4], { dtype: "float32" }).read()).rejects.toThrow(
      InvalidInputError,
    );
    const query = await backend.upload(call.query);
    const encoder = device.createCommandEncoder();
    const inputs = { query, key: query, value: query };
    const encode = (outputs: object) => plan.encode(encoder, inputs, outputs as never);
    expect(() => encode({})).toThrow(/outputs.output/);
    expect(() => encode({ output: webgpuTensor(buffer, [4], { dtype: "float32" }) })).toThrow(
      /outputs.output/,
    );
    expect(() => plan.encode(encoder, { ...inputs, causal: true }, { output: query })).toThrow(
      /inputs/,
    );
    const other = await webgpu({ allowFallbackAdapter: true }).load();
    const elsewhere = await other.upload(call.query);
    await expect(plan.run({ ...call, query: elsewhere })).rejects.toThrow(/another device/);
    elsewhere.dispose();
    other.dispose();
  });
});
