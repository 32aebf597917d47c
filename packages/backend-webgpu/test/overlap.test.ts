/** Calls that overlap, and what is disposed while they run: everything that outlives a single call. */
import { type WebGpuBackend, webgpu } from "@heed/backend-webgpu";
import {
  type AttentionInputs,
  type DeviceTensor,
  DisposedError,
  describeProblem,
  type HostTensor,
  isDeviceTensor,
  slice,
  transpose,
} from "@heed/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { preparedLayouts } from "../src/execution/prepared.js";
import { available } from "./available.js";
import { makeCall } from "./calls.js";
import { expectPass } from "./passes.js";

type HostCall = AttentionInputs<HostTensor>;

describe.skipIf(!available)("overlapping calls", () => {
  let backend: WebGpuBackend;
  beforeAll(async () => {
    backend = await webgpu({ allowFallbackAdapter: true }).load();
  });
  afterAll(() => backend.dispose());

  const hostOf = async (t: DeviceTensor | HostTensor): Promise<HostTensor> =>
    isDeviceTensor(t) ? t.read() : t;
  const passes = (call: HostCall, output: HostTensor) => expectPass(call, { output });

  /** The same problem in as many layouts as there are numbers: rows further and further apart. */
  function layouts(count: number): HostCall[] {
    return Array.from({ length: count }, (_, gap) => {
      const cut = (t: HostTensor): HostTensor => slice(t, 3, 0, 4);
      const call = makeCall({ lengths: [3, 5], sizes: [4 + gap, 4 + gap] });
      return { query: cut(call.query), key: cut(call.key), value: cut(call.value) };
    });
  }

  test("a row-major and a transposed call at once", async () => {
    const plain = makeCall({ lengths: [4, 4], sizes: [4, 4] });
    const turned = makeCall({ heads: [4, 4], lengths: [2, 2], sizes: [4, 4] });
    const swap = (t: HostTensor): HostTensor => transpose(t, [0, 2, 1, 3]);
    const other = { query: swap(turned.query), key: swap(turned.key), value: swap(turned.value) };
    const plan = await backend.plan(describeProblem(plain));
    for (let round = 0; round < 3; round++) {
      const calls = [plain, other, plain, other];
      const results = await Promise.all(calls.map((call) => plan.run(call)));
      for (const [i, { output }] of results.entries()) {
        passes(calls[i] as HostCall, output as HostTensor);
      }
    }
    plan.dispose();
  });

  test.each([
    ["in host memory", false],
    ["on the device", true],
  ])("more layouts than a plan keeps, all at once, %s", async (_, resident) => {
    const calls = layouts(preparedLayouts + 5);
    const plan = await backend.plan(describeProblem(calls[0] as HostCall));
    const inputs = await Promise.all(
      calls.map(async (call) =>
        resident ? { ...call, key: await backend.upload(call.key) } : call,
      ),
    );
    const twice = [...inputs, ...inputs.toReversed()];
    const results = await Promise.all(twice.map((call) => plan.run(call)));
    for (const [i, { output }] of results.entries()) {
      const at = i < calls.length ? i : 2 * calls.length - 1 - i;
      passes(calls[at] as HostCall, await hostOf(output));
    }
    plan.dispose();
  });

  test("views that differ in their offset alone", async () => {
    const long = makeCall({ lengths: [2, 64] });
    const window = (t: HostTensor, first: number): HostTensor => ({
      ...t,
      shape: [1, 2, 8, 16],
      offset: first * 16,
    });
    const call = (first: number): HostCall => ({
      query: long.query,
      key: window(long.key, first),
      value: window(long.value, first),
    });
    const [key, value] = await Promise.all([backend.upload(long.key), backend.upload(long.value)]);
    const onDevice = (t: DeviceTensor, first: number): DeviceTensor =>
      (t.view as NonNullable<DeviceTensor["view"]>)({
        shape: [1, 2, 8, 16],
        strides: [2 * 64 * 16, 64 * 16, 16, 1],
        offset: first * 16,
      });
    const plan = await backend.plan(describeProblem(call(0)));
    for (const first of [0, 3, 40, 3, 0, 56]) {
      const inputs = {
        query: long.query,
        key: onDevice(key, first),
        value: onDevice(value, first),
      };
      const { output } = await plan.run(inputs);
      passes(call(first), await hostOf(output));
    }
    plan.dispose();
    key.dispose();
    value.dispose();
  });

  test("tensors that are disposed while a run or a read waits are kept for it", async () => {
    const call = makeCall({ lengths: [3, 20] });
    const plan = await backend.plan(describeProblem(call));
    const other = makeCall({ lengths: [3, 20], batch: 1, heads: [2, 2], sizes: [16, 16] });
    const noise = { ...other.key, data: (other.key.data as Float32Array).map(() => 1e6) };
    for (let round = 0; round < 10; round++) {
      const key = await backend.upload(call.key);
      const running = plan.run({ ...call, key });
      key.dispose();
      // These would get the buffer if it were idle.
      const others = await Promise.all([backend.upload(noise), backend.upload(noise)]);
      const { output } = await running;
      const reading = (output as DeviceTensor).read();
      (output as DeviceTensor).dispose();
      for (const t of others) t.dispose();
      const more = await Promise.all([backend.upload(noise), backend.upload(noise)]);
      passes(call, await reading);
      for (const t of more) t.dispose();
    }
    plan.dispose();
  });

  test("a plan that is disposed while calls run gives results or DisposedError", async () => {
    const calls = layouts(6);
    for (const turns of [0, 1, 2, 4, 8, 16]) {
      const plan = await backend.plan(describeProblem(calls[0] as HostCall));
      const running = Promise.allSettled(calls.map((call) => plan.run(call)));
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      plan.dispose();
      for (const [i, outcome] of (await running).entries()) {
        if (outcome.status === "fulfilled") {
          passes(calls[i] as HostCall, outcome.value.output as HostTensor);
        } else expect(outcome.reason).toBeInstanceOf(DisposedError);
      }
    }
  });

  test("lengths and offsets are those at the time of the call", async () => {
    const call = makeCall({ lengths: [1, 30] });
    const kvLengths = new Int32Array(1);
    const plan = await backend.plan(describeProblem({ ...call, kvLengths: new Int32Array([1]) }));
    const running = Array.from({ length: 12 }, (_, i) => {
      kvLengths[0] = 1 + 2 * i;
      return plan.run({ ...call, kvLengths });
    });
    for (const [i, { output }] of (await Promise.all(running)).entries()) {
      passes({ ...call, kvLengths: new Int32Array([1 + 2 * i]) }, output as HostTensor);
    }
    plan.dispose();
  });
});
