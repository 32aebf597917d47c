import { Random } from "@heed/conformance";
import { testBackend } from "@heed/conformance/vitest";
import { describeProblem, type HostTensor, toFloat64 } from "@heed/core";
import { expect, test } from "vitest";
import { wholeIn } from "../../../test/select.js";
import { WasmBackend } from "../src/backend.js";
import { loadWasm } from "../src/load.js";
import { calls } from "./calls.js";

/** Every problem is shared and its keys are split, however small it is. */
const shareAll = { sharedWork: 0, leastSplitKeys: 8 };

testBackend(
  { name: "wasm", load: async () => new WasmBackend(await loadWasm({ threads: 2 }), shareAll) },
  { title: "wasm backend, two threads", select: wholeIn("browser") },
);

test("threads do not change a result, and nor does who computes what", async () => {
  const wasm = await loadWasm({ threads: 3 });
  expect(wasm.info.threads).toBe(3);
  const backend = new WasmBackend(wasm, shareAll);
  for (const call of Object.values(calls)) {
    const plan = backend.plan(describeProblem(call));
    const first = await plan.run(call);
    for (let again = 0; again < 20; again++) {
      const { output } = await plan.run(call);
      expect(toFloat64(output as HostTensor)).toEqual(toFloat64(first.output as HostTensor));
    }
  }
  backend.dispose();
});

test("keys are split where there are few rows, and only then", async () => {
  const wasm = await loadWasm({ threads: 2 });
  const backend = new WasmBackend(wasm, shareAll);
  const kernel = (call: keyof typeof calls): string =>
    backend.plan(describeProblem(calls[call])).description.kernel;
  expect(kernel("decode")).toBe("wasm-few-split");
  expect(kernel("prefill")).toBe("wasm-tiled-split");
  expect(kernel("heads")).toBe("wasm-tiled");
  backend.dispose();
});

test("threads for which a job has no workspace take none of its items", async () => {
  const wasm = await loadWasm({ threads: 4 });
  const random = new Random("fewer items than threads");
  const filled = (length: number) => random.tensor([1, 2, length, 20], "float32");
  // Two heads of one block each: two items, and memory for two threads.
  const call = { query: filled(100), key: filled(700), value: filled(700) };
  const backend = new WasmBackend(wasm, { ...shareAll, leastSplitKeys: 1000 });
  const plan = backend.plan(describeProblem(call));
  const expected = toFloat64((await plan.run(call)).output as HostTensor);
  for (let again = 0; again < 100; again++) {
    const { output } = await plan.run(call);
    expect(toFloat64(output as HostTensor)).toEqual(expected);
  }
  backend.dispose();
});
