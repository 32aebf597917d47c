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
import { beforeAll, describe, test } from "vitest";
import { scope } from "../../../test/select.js";
import { expectAsReference } from "./call-of.js";
import { layouts, storages, storedCall } from "./stored-calls.js";

const seeds = Array.from({ length: scope === "all" ? 30 : 4 }, (_, seed) => seed);
const tensors = ["query", "key", "value", "keyScales", "valueScales", "mask", "bias"] as const;

const adapter = await navigator.gpu?.requestAdapter();

describe.skipIf(!adapter)("stored keys and values on webgpu", () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await onnx({ provider: "webgpu" }).load();
  });

  const kinds = layouts.flatMap((layout) => storages.map((storage) => [storage, layout] as const));
  test.each(kinds)("%s, %s", async (storage, layout) => {
    const memory = backend.memory as DeviceMemory;
    for (const seed of seeds) {
      const call = storedCall(seed, storage, layout);
      const problem = describeProblem(call);
      const plan = await backend.plan(problem);
      const onDevice: AttentionInputs<Tensor> = { ...call };
      for (const name of tensors) {
        const t = call[name];
        if (t) Object.assign(onDevice, { [name]: await memory.upload(t) });
      }
      try {
        expectAsReference(await plan.run(call), call, 5e-3);
        const results = Object.entries(await plan.run(onDevice));
        const read: Record<string, HostTensor> = {};
        for (const [name, t] of results) read[name] = await (t as DeviceTensor).read();
        expectAsReference(read, call, 5e-3);
        for (const [, t] of results) (t as DeviceTensor).dispose();
      } catch (error) {
        throw new Error(`seed ${seed}: ${problem.key}: ${String(error)}`, { cause: error });
      }
      for (const name of tensors) (onDevice[name] as DeviceTensor | undefined)?.dispose();
      plan.dispose();
    }
  });
});
