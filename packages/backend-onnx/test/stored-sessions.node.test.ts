import { onnx } from "@heed/backend-onnx";
import { type AttentionInputs, describeProblem, type HostTensor, tensor } from "@heed/core";
import { expect, test } from "vitest";
import { importRuntime } from "../src/runtime/import.js";
import { expectAsReference, Numbers, stored } from "./call-of.js";

/** Steps of a decode loop: all at first, then one of each 307. */
function* steps(most: number): Generator<number> {
  for (let length = 1; length <= most; length += length < 70 ? 1 : 307) yield length;
}

test.each([
  ["cpu", "float16"],
  ["cpu", "int8"],
  ["wasm", "float16"],
] as const)("%s, %s: a decode loop needs few sessions", async (provider, storage) => {
  const runtime = await importRuntime(provider);
  let created = 0;
  const InferenceSession = {
    create: (...given: Parameters<typeof runtime.InferenceSession.create>) => {
      created += 1;
      return runtime.InferenceSession.create(...given);
    },
  };
  const watched = { env: runtime.env, Tensor: runtime.Tensor, InferenceSession };
  const backend = await onnx({ provider, runtime: watched as never, threads: 1 }).load();
  const probes = created;
  const numbers = new Numbers(3);
  const [size, perSequence] = [16, 600];
  const key = stored(numbers.tensor(perSequence, 1, size, 4), storage);
  const value = stored(numbers.tensor(perSequence, 1, size, 4), storage);
  const table = Int32Array.from({ length: perSequence }, (_, page) => perSequence - 1 - page);
  const call: AttentionInputs<HostTensor> = {
    query: numbers.tensor(1, 2, 1, 4),
    key: key.data,
    value: value.data,
    ...(key.scales && { keyScales: key.scales, valueScales: value.scales }),
    pageTable: tensor(table, [1, perSequence]),
    causal: true,
    queryOffset: "bottom-right",
    kvLengths: [1],
  };
  const plan = await backend.plan(describeProblem(call));
  for (const length of steps(perSequence * size)) {
    const step = { ...call, kvLengths: [length] };
    const results = await plan.run(step);
    if (length % 4 === 0) expectAsReference(results, step);
  }
  expect(created - probes).toBeLessThanOrEqual(6);
  expect(plan.description.notes?.join()).toContain("pages");
  plan.dispose();
  backend.dispose();
});
