/** Mask programs that say what causal and a window say: calls of these are computed as calls with a window. */
import { onnx } from "@heed/backend-onnx";
import { type AttentionInputs, describeProblem, type HostTensor } from "@heed/core";
import { causal, prefixLM, slidingWindow } from "@heed/core/masks";
import * as p from "@heed/core/program";
import * as ort from "onnxruntime-node";
import { expect, test } from "vitest";
import { expectAsReference, Numbers } from "./call-of.js";

const [batch, heads, length] = [2, 2, 96];
const reach = p.scalar(5);
const sizes = { queryLength: length, keyLength: length, queryBlock: 16, keyBlock: 16 };
const within = p.maskMod(({ query, key }) => p.lessEqual(p.abs(p.subtract(query, key)), reach));

const windows: Readonly<Record<string, Partial<AttentionInputs<HostTensor>>>> = {
  causal: { maskMod: causal() },
  "a window and its block mask": {
    maskMod: slidingWindow(20),
    blockMask: p.createBlockMask(slidingWindow(20), sizes),
  },
  "a distance, beside causal": { maskMod: within, causal: true },
  "a window, beside a narrower one": { maskMod: within, window: { left: 2, right: 30 } },
  "offsets of batch entries": {
    maskMod: slidingWindow({ left: 9, right: 4 }),
    queryOffset: [-20, 31],
  },
};

const others: Readonly<Record<string, Partial<AttentionInputs<HostTensor>>>> = {
  "keys before the query's": { maskMod: p.maskMod(({ query, key }) => p.less(key, query)) },
  "a prefix": { maskMod: prefixLM(30) },
  "blocks of another program": {
    maskMod: causal(),
    blockMask: p.createBlockMask(slidingWindow(20), sizes),
  },
};

test("causal and windows as programs need no program in the graph", async () => {
  const reads: boolean[] = [];
  const create = async (model: Uint8Array, options: ort.InferenceSession.SessionOptions) => {
    const session = await ort.InferenceSession.create(model, options);
    const run = session.run.bind(session) as (...args: unknown[]) => Promise<unknown>;
    session.run = ((feeds: object, ...rest: unknown[]) => {
      reads.push("programKey" in feeds || "blocks" in feeds);
      return run(feeds, ...rest);
    }) as typeof session.run;
    return session;
  };
  const runtime = { env: ort.env, Tensor: ort.Tensor, InferenceSession: { create } };
  const backend = await onnx({ provider: "cpu", threads: 1, runtime }).load();
  const numbers = new Numbers(5);
  const of = (size: number) => numbers.tensor(batch, heads, length, size);
  const tensors = { query: of(16), key: of(16), value: of(8), returns: { logSumExp: true } };
  const run = async (name: string, rules: Partial<AttentionInputs<HostTensor>>) => {
    const call = { ...tensors, ...rules };
    const plan = await backend.plan(describeProblem(call));
    reads.length = 0;
    expectAsReference(await plan.run(call), call);
    const asProgram = reads.some((is) => is);
    // A scalar's new value is another window, by the same plan.
    reach.value = 11;
    expectAsReference(await plan.run(call), call);
    reach.value = 5;
    plan.dispose();
    return [name, asProgram];
  };
  for (const [name, rules] of Object.entries(windows)) {
    expect(await run(name, rules)).toEqual([name, false]);
  }
  for (const [name, rules] of Object.entries(others)) {
    expect(await run(name, rules)).toEqual([name, true]);
  }
  await backend.dispose();
});
