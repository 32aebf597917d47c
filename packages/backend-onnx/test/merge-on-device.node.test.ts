/**
 * Merging of tensors that are on a device. The device here is made of arrays, and onnxruntime-node computes in
 * them: it shows which tensors a plan reads and writes, not how a GPU computes.
 */
import {
  type Backend,
  type DeviceTensor,
  type HostTensor,
  type MergeOutputs,
  merge,
  type Tensor,
} from "@heed/core";
import type { ComputeDevice, GpuBuffer } from "@heed/gpu-memory";
import { afterAll, beforeAll, expect, test } from "vitest";
import { backendOn } from "../src/backend.js";
import { importRuntime } from "../src/runtime/import.js";
import type { Runtime, RuntimeDType, RuntimeTensor } from "../src/runtime/runtime.js";
import { traitsOf } from "../src/runtime/traits.js";
import { constantParts, type MergeCall, parts } from "./merge-calls.js";

/** A buffer in JavaScript memory. */
interface ArrayBuffered extends GpuBuffer {
  readonly bytes: ArrayBuffer;
}

/** Buffers made so far. */
let created = 0;
/** Whether sessions fail instead of running. */
let failing = false;

const noShaders = (): never => {
  throw new Error("this device runs no shaders");
};

const device: ComputeDevice = {
  limits: { maxBufferSize: 2 ** 20 },
  lost: new Promise(() => {}),
  pushErrorScope: () => {},
  popErrorScope: async () => null,
  createShaderModule: noShaders,
  createComputePipeline: noShaders,
  createBindGroup: noShaders,
  queue: {
    submit: (commands) => {
      for (const command of commands) (command as () => void)();
    },
    writeBuffer: (buffer, at, data, dataAt, size) => {
      new Uint8Array((buffer as ArrayBuffered).bytes, at).set(new Uint8Array(data, dataAt, size));
    },
  },
  createBuffer: ({ size, usage }) => {
    created++;
    const bytes = new ArrayBuffer(size);
    const made: ArrayBuffered = {
      size,
      usage,
      bytes,
      destroy: () => {},
      mapAsync: async () => {},
      getMappedRange: (at = 0, count = size - at) => bytes.slice(at, at + count),
      unmap: () => {},
    };
    return made;
  },
  createCommandEncoder: () => {
    const copies: (() => void)[] = [];
    return {
      copyBufferToBuffer: (from, fromAt, to, toAt, count) => {
        copies.push(() => {
          const source = new Uint8Array((from as ArrayBuffered).bytes, fromAt, count);
          new Uint8Array((to as ArrayBuffered).bytes, toAt).set(source);
        });
      },
      clearBuffer: (buffer) => {
        copies.push(() => new Uint8Array((buffer as ArrayBuffered).bytes).fill(0));
      },
      beginComputePass: noShaders,
      finish: () => () => {
        for (const copy of copies) copy();
      },
    };
  },
};

const arrays = { float32: Float32Array, float16: Uint16Array } as const;

/** onnxruntime-node, whose tensors can be over the device's buffers, and whose sessions can fail. */
async function runtimeOnArrays(): Promise<Runtime> {
  const { env, InferenceSession, Tensor } = await importRuntime("cpu");
  class OnArrays extends Tensor {
    static override fromGpuBuffer(
      buffer: unknown,
      { dataType, dims }: { dataType: string; dims: readonly number[] },
    ): RuntimeTensor {
      const count = dims.reduce((product, size) => product * size, 1);
      const Elements = arrays[dataType as keyof typeof arrays];
      const elements = new Elements((buffer as ArrayBuffered).bytes, 0, count);
      return new Tensor(dataType as RuntimeDType, elements, dims);
    }
  }
  const create: Runtime["InferenceSession"]["create"] = async (model, options) => {
    const session = await InferenceSession.create(model, options);
    return {
      run: async (feeds, fetches) => {
        if (failing) throw new Error("device lost");
        return session.run(feeds, fetches);
      },
      release: () => session.release(),
    };
  };
  return { env, InferenceSession: { create }, Tensor: OnArrays };
}

let backend: Backend;
beforeAll(async () => {
  backend = await backendOn({
    runtime: await runtimeOnArrays(),
    // A device without float16 and without reliable infinities, as GPUs can be.
    traits: traitsOf("webgpu", { float16: false, largestTensor: null }),
    sessionOptions: {
      executionProviders: ["cpu"],
      graphOptimizationLevel: "all",
      logSeverityLevel: 4,
    },
    threads: 1,
    adapter: null,
    device,
    notes: [],
    release: async () => {},
  });
});
afterAll(() => backend.dispose());

async function upload(t: HostTensor): Promise<DeviceTensor> {
  if (!backend.memory) throw new Error("the backend has no memory");
  return backend.memory.upload(t);
}

async function run(call: MergeCall, onDevice: readonly number[]): Promise<MergeOutputs> {
  const given = call.parts.map(async ({ output, logSumExp }, p) =>
    onDevice.includes(p)
      ? { output: await upload(output), logSumExp: await upload(logSumExp) }
      : { output, logSumExp },
  );
  const inputs = { parts: (await Promise.all(given)) as { output: Tensor; logSumExp: Tensor }[] };
  const plan = await backend.plan(merge.describe(inputs));
  return plan.run(inputs);
}

const hidden = Number.NEGATIVE_INFINITY;

test.each([
  ["float32", parts(3, [2, 3, 5])],
  ["float16, which the device stores as float32", parts(3, [2, 3, 5], "float16", "float16")],
  [
    "parts that saw no key",
    constantParts(
      [
        [hidden, 1, hidden],
        [2, 3, hidden],
      ],
      [Number.NaN, 4],
    ),
  ],
  ["no rows", parts(2, [2, 0, 4])],
  ["no values", parts(2, [2, 3, 0])],
] as const)("%s: outputs stay on the device and are those of the host", async (_, call) => {
  const host = (await run(call, [])) as MergeOutputs<HostTensor>;
  for (const some of [[0], [1], call.parts.map((_part, p) => p)]) {
    const outputs = (await run(call, some)) as MergeOutputs<DeviceTensor>;
    for (const name of ["output", "logSumExp"] as const) {
      expect(outputs[name].backend).toBe("onnx");
      const { shape, dtype, data } = await outputs[name].read();
      expect({ shape, dtype, data }).toEqual({
        shape: host[name].shape,
        dtype: host[name].dtype,
        data: host[name].data,
      });
      outputs[name].dispose();
    }
  }
});

test("a run that fails gives back its outputs' buffers", async () => {
  const [first, second] = parts(2, [3, 4]).parts;
  if (!first || !second) throw new Error("two parts");
  const uploaded = { output: await upload(first.output), logSumExp: await upload(first.logSumExp) };
  const inputs = { parts: [uploaded, second] as { output: Tensor; logSumExp: Tensor }[] };
  const plan = await backend.plan(merge.describe(inputs));
  expect(plan.description.notes?.join()).toMatch(/copied into row-major order/);
  failing = true;
  try {
    await expect((async () => plan.run(inputs))()).rejects.toThrow("lost");
    const before = created;
    await expect((async () => plan.run(inputs))()).rejects.toThrow("lost");
    expect(created).toBe(before);
  } finally {
    failing = false;
  }
});
