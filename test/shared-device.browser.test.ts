/**
 * One GPUDevice for two backends: tensors of the one are given to the other as they are, without being
 * read back.
 */
import { onnx, onnxTensor } from "@heed/backend-onnx";
import { webgpu, webgpuTensor } from "@heed/backend-webgpu";
import { judge, passes } from "@heed/conformance";
import {
  type AttentionBackend,
  type AttentionInputs,
  type AttentionOutputs,
  type DeviceTensor,
  describeProblem,
  type HostTensor,
  tensor,
} from "@heed/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const adapter = await navigator.gpu?.requestAdapter();
const shape = [2, 3, 17, 16];

function call(seed: number): AttentionInputs<HostTensor> {
  const fill = (by: number) =>
    tensor(
      Float32Array.from({ length: 2 * 3 * 17 * 16 }, (_, i) => Math.sin(seed + by + 7 * i)),
      shape,
    );
  return { query: fill(1), key: fill(2), value: fill(3), causal: true };
}

/** How often the host has asked to read a buffer. */
let readBacks = 0;

function countReadBacks(): void {
  const { mapAsync } = GPUBuffer.prototype;
  GPUBuffer.prototype.mapAsync = function (mode, ...range) {
    if (mode === GPUMapMode.READ) readBacks += 1;
    return mapAsync.call(this, mode, ...range);
  };
}

type Wrap = typeof onnxTensor;
const bufferOf = (t: DeviceTensor): GPUBuffer => (t as DeviceTensor & { buffer: GPUBuffer }).buffer;

/** Self-attention of the first backend, whose output is the query of the second, and stays there. */
async function chain(first: AttentionBackend, second: AttentionBackend, wrap: Wrap) {
  const inputs = call(1);
  const other = call(5);
  const run = async (backend: AttentionBackend, given: AttentionInputs) => {
    const plan = await backend.plan(describeProblem(given));
    return (await plan.run(given)) as AttentionOutputs<DeviceTensor>;
  };
  const upload = (backend: AttentionBackend, t: HostTensor) =>
    backend.upload?.(t) as Promise<DeviceTensor>;
  const query = await upload(first, inputs.query);
  // The key, which only the second backend reads, is uploaded by the first, too.
  const key = await upload(first, other.key);
  readBacks = 0;
  const { output: between } = await run(first, { ...inputs, query });
  const given = (t: DeviceTensor) => wrap(bufferOf(t), t.shape, { dtype: "float32" });
  const { output } = await run(second, { ...other, query: given(between), key: given(key) });
  const copies = readBacks;
  const read = { between: await between.read(), output: await output.read() };
  for (const t of [query, key, between, output]) t.dispose();
  expect(judge(inputs, { output: read.between })).toSatisfy(passes);
  expect(judge({ ...other, query: read.between }, { output: read.output })).toSatisfy(passes);
  expect(copies).toBe(0);
  expect(readBacks).toBe(2);
}

describe.skipIf(!adapter)("one GPUDevice, two backends", () => {
  let device: GPUDevice;
  let ours: AttentionBackend;
  let theirs: AttentionBackend;

  beforeAll(async () => {
    countReadBacks();
    device = (await adapter?.requestDevice()) as GPUDevice;
    theirs = await onnx({ provider: "webgpu", device }).load();
    ours = await webgpu({ device }).load();
  });
  afterAll(() => {
    ours.dispose();
    theirs.dispose();
  });

  test("onnxruntime's output is the query of a WGSL kernel", async () => {
    await chain(theirs, ours, webgpuTensor as Wrap);
  });

  test("a WGSL kernel's output is the query of a model", async () => {
    await chain(ours, theirs, onnxTensor);
  });
});
