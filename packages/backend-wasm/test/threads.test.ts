import { Random } from "@heed/conformance";
import { testBackend } from "@heed/conformance/vitest";
import { describeProblem, type HostTensor, toFloat64 } from "@heed/core";
import { expect, test } from "vitest";
import { engineCases, inBrowser, scope } from "../../../test/select.js";
import { backendOver, loadThreads } from "./backends.js";
import { calls } from "./calls.js";
import { newPaths } from "./paths.js";

/** Every problem is shared and its keys are split, however small it is. */
const shareAll = { sharedWork: 0, leastSplitKeys: 8 };

const inNode = scope === "all" ? undefined : engineCases;

testBackend(
  {
    name: "wasm",
    load: async () => await backendOver(await loadThreads({ threads: 2 }), shareAll),
  },
  // Node runs the whole suite on one thread.
  { title: "wasm backend, two threads", select: inBrowser ? newPaths(2, shareAll) : inNode },
);

test("threads do not change a result, and nor does who computes what", async () => {
  const wasm = await loadThreads({ threads: 3 });
  expect(wasm.info.threads).toBe(3);
  const backend = await backendOver(wasm, shareAll);
  for (const call of Object.values(calls)) {
    const plan = await backend.plan(describeProblem(call));
    const first = await plan.run(call);
    for (let again = 0; again < 20; again++) {
      const { output } = await plan.run(call);
      expect(toFloat64(output as HostTensor)).toEqual(toFloat64(first.output as HostTensor));
    }
  }
  backend.dispose();
});

test("keys are split where there are few rows, and only then", async () => {
  const wasm = await loadThreads({ threads: 2 });
  const backend = await backendOver(wasm, shareAll);
  const planned = async (call: keyof typeof calls) => {
    const { kernel, splits } = (await backend.plan(describeProblem(calls[call]))).description;
    return { kernel: kernel.split("-").slice(0, 3).join("-"), split: splits !== undefined };
  };
  expect(await planned("decode")).toEqual({ kernel: "attention-few-f32", split: true });
  expect(await planned("prefill")).toEqual({ kernel: "attention-tiled-f32", split: true });
  expect(await planned("heads")).toEqual({ kernel: "attention-tiled-f32", split: false });
  backend.dispose();
});

test("threads for which a job has no workspace take none of its items", async () => {
  const wasm = await loadThreads({ threads: 4 });
  const random = new Random("fewer items than threads");
  const filled = (length: number) => random.tensor([1, 2, length, 20], "float32");
  // Two heads of one block each: two items, and memory for two threads.
  const call = { query: filled(100), key: filled(700), value: filled(700) };
  const backend = await backendOver(wasm, { ...shareAll, leastSplitKeys: 1000 });
  const plan = await backend.plan(describeProblem(call));
  const expected = toFloat64((await plan.run(call)).output as HostTensor);
  for (let again = 0; again < 100; again++) {
    const { output } = await plan.run(call);
    expect(toFloat64(output as HostTensor)).toEqual(expected);
  }
  backend.dispose();
});

test("calls before the threads have started have the same bits as those after", async () => {
  const wasm = await loadThreads({ threads: 3 });
  await expect.poll(() => wasm.info.threads).toBe(3);
  expect(wasm.info.notes?.join()).not.toContain("one thread");
  const alone = await backendOver({ ...wasm, pool: null }, shareAll);
  const together = await backendOver(wasm, shareAll);
  for (const call of Object.values(calls)) {
    const problem = describeProblem(call);
    const before = await (await alone.plan(problem)).run(call);
    const after = await (await together.plan(problem)).run(call);
    expect(toFloat64(after.output as HostTensor)).toEqual(toFloat64(before.output as HostTensor));
  }
  together.dispose();
});
