import { onnx } from "@heed/backend-onnx";
import {
  type AttentionInputs,
  type Backend,
  type DeviceMemory,
  type DeviceTensor,
  describeProblem,
  type HostTensor,
  type Tensor,
} from "@heed/core";
import { afterAll, beforeAll, describe, test } from "vitest";
import { scope } from "../../../test/select.js";
import { expectAsReference, Numbers } from "./call-of.js";
import { layouts, storages, storedCall } from "./stored-calls.js";

/** Each compiles kernels of its own. */
const seeds = Array.from({ length: scope === "all" ? 30 : 1 }, (_, seed) => seed);
const tensors = ["query", "key", "value", "keyScales", "valueScales", "mask", "bias"] as const;

const adapter = await navigator.gpu?.requestAdapter();

describe.skipIf(!adapter)("stored keys and values on webgpu", () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await onnx({ provider: "webgpu" }).load();
  });
  afterAll(() => backend.dispose());

  /** A call with all tensors in host memory, and with all of them on the device. */
  const check = async (call: AttentionInputs<HostTensor>, on = backend): Promise<void> => {
    const memory = on.memory as DeviceMemory;
    const plan = await on.plan(describeProblem(call));
    expectAsReference(await plan.run(call), call, 5e-3);
    const onDevice: AttentionInputs<Tensor> = { ...call };
    for (const name of tensors) {
      const t = call[name];
      if (t) Object.assign(onDevice, { [name]: await memory.upload(t) });
    }
    const results = Object.entries(await plan.run(onDevice));
    const read: Record<string, HostTensor> = {};
    for (const [name, t] of results) read[name] = await (t as DeviceTensor).read();
    expectAsReference(read, call, 5e-3);
    for (const [, t] of results) (t as DeviceTensor).dispose();
    for (const name of tensors) (onDevice[name] as DeviceTensor | undefined)?.dispose();
    plan.dispose();
  };

  const kinds = layouts.flatMap((layout) => storages.map((storage) => [storage, layout] as const));
  test.each(kinds)("%s, %s", async (storage, layout) => {
    for (const seed of seeds) {
      const call = storedCall(seed, storage, layout);
      try {
        await check(call);
      } catch (error) {
        const { key } = describeProblem(call);
        throw new Error(`seed ${seed}: ${key}: ${String(error)}`, { cause: error });
      }
    }
  });

  test("outputs of several groups are put together on the device", async () => {
    const numbers = new Numbers(11);
    const heads = (count: number) => numbers.tensor(1, count, 57, 32);
    const call = {
      query: heads(4),
      key: heads(2),
      value: heads(2),
      queryStarts: [0, 1, 31, 31, 57],
      keyStarts: [0, 3, 33, 35, 57],
      causal: true,
      queryOffset: "bottom-right",
    } as const;
    // The logits of no two of the longer sequences fit.
    const small = await onnx({ provider: "webgpu", maxWorkspaceBytes: 2 ** 16 }).load();
    await check({ ...call, returns: { logSumExp: true } }, small);
    small.dispose();
  });
});
