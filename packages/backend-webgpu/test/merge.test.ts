/** Merging of partial attention against core's float64 reference. */
import { webgpu } from "@heed/backend-webgpu";
import {
  broadcastTo,
  cast,
  createAttention,
  type DeviceTensor,
  type HostTensor,
  isDeviceTensor,
  type MergeOutputs,
  merge,
  slice,
  tensor,
  toFloat64,
  transpose,
} from "@heed/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebGpuBackend } from "../src/backend.js";
import { floor } from "../src/capabilities.js";
import { joinAxes } from "../src/merge/axes.js";
import { mergeOnDevice } from "../src/merge/program.js";
import { scheduleMerge } from "../src/merge/schedule.js";
import { available } from "./available.js";
import { sharedDevice } from "./devices.js";
import {
  calls,
  checkMerged,
  empty,
  emptyRows,
  type Part,
  partsOf,
  random,
  withRows,
} from "./merge-calls.js";

describe.skipIf(!available)("merge", () => {
  let backend: WebGpuBackend;
  beforeAll(async () => {
    backend = await webgpu({ allowFallbackAdapter: true }).load();
  });
  afterAll(() => backend.dispose());

  async function runResident(parts: readonly Part[]): Promise<MergeOutputs<DeviceTensor>> {
    const device = await Promise.all(
      parts.map(async ({ output, logSumExp }) => ({
        output: await backend.upload(output),
        logSumExp: await backend.upload(logSumExp),
      })),
    );
    const plan = await backend.plan(merge.describe({ parts }));
    const outputs = (await plan.run({ parts: device })) as MergeOutputs<DeviceTensor>;
    for (const { output, logSumExp } of device) {
      output.dispose();
      logSumExp.dispose();
    }
    plan.dispose();
    return outputs;
  }

  test.each(calls)("%s", async (_, parts) => {
    const plan = await backend.plan(merge.describe({ parts }));
    checkMerged(parts, (await plan.run({ parts })) as MergeOutputs<HostTensor>);
    plan.dispose();
    // The same with everything on the device, where the results then stay.
    const resident = await runResident(parts);
    expect(isDeviceTensor(resident.output) && isDeviceTensor(resident.logSumExp)).toBe(true);
    checkMerged(parts, {
      output: await resident.output.read(),
      logSumExp: await resident.logSumExp.read(),
    });
    resident.output.dispose();
    resident.logSumExp.dispose();
  });

  test("a part that is alone in its row keeps its bits", async () => {
    const alone = partsOf(1, [3, 5, 7]);
    const nobody = withRows(partsOf(8, [3, 5, 7]), () => ({ lse: empty, output: Number.NaN }));
    const plan = await backend.plan(merge.describe({ parts: [...nobody, ...alone] }));
    const { output, logSumExp } = await plan.run({ parts: [...nobody, ...alone] });
    expect((output as HostTensor).data).toEqual(alone[0]?.output.data);
    expect((logSumExp as HostTensor).data).toEqual(alone[0]?.logSumExp.data);
    plan.dispose();
  });

  test("parts may be views of one buffer, on the device, and mixed with those of the host", async () => {
    const outputs = random.tensor([9, 3, 5, 4], "float32");
    const logSumExps = random.tensor([9, 3, 5], "float32");
    const host = Array.from({ length: 9 }, (_, p) => ({
      output: slice(outputs, 0, p, p + 1),
      logSumExp: slice(logSumExps, 0, p, p + 1),
    }));
    const [deviceOutputs, deviceLses] = [
      await backend.upload(outputs),
      await backend.upload(logSumExps),
    ];
    const parts = host.map((part, p) =>
      p === 4
        ? part
        : {
            output: slice(deviceOutputs, 0, p, p + 1),
            logSumExp: slice(deviceLses, 0, p, p + 1),
          },
    );
    const plan = await backend.plan(merge.describe({ parts }));
    const { output, logSumExp } = (await plan.run({ parts })) as MergeOutputs<DeviceTensor>;
    checkMerged(host, { output: await output.read(), logSumExp: await logSumExp.read() });
    const views = parts.flatMap((part) => [part.output, part.logSumExp]).filter(isDeviceTensor);
    for (const t of [...views, output, logSumExp, deviceOutputs, deviceLses]) t.dispose();
    plan.dispose();
  });

  test("what attention leaves for halves of the keys becomes attention over all of them", async () => {
    const attention = await createAttention({ backends: [webgpu({ allowFallbackAdapter: true })] });
    const [query, key, value] = [
      [1, 2, 3, 8],
      [1, 2, 10, 8],
      [1, 2, 10, 6],
    ].map((shape) => random.tensor(shape, "float32")) as [HostTensor, HostTensor, HostTensor];
    const over = async (first: number, end: number) => {
      const { output, logSumExp } = await attention.run({
        query,
        key: slice(key, 2, first, end),
        value: slice(value, 2, first, end),
        returns: { logSumExp: true },
      });
      return { output, logSumExp } as Part;
    };
    const whole = await over(0, 10);
    const parts = [await over(0, 4), await over(4, 10)];
    const merged = (await attention.apply(merge, { parts })) as Part;
    for (const name of ["output", "logSumExp"] as const) {
      const got = toFloat64(merged[name]);
      for (const [i, v] of toFloat64(whole[name]).entries()) expect(got[i]).toBeCloseTo(v, 5);
    }
    await attention.dispose();
  });

  test.each([
    ["float32", true],
    ["float16", true],
    // Through float32.
    ["float16", false],
  ] as const)(
    "what is larger than a binding is computed in parts: %s, shader-f16 %s",
    async (dtype, float16) => {
      const open = await sharedDevice();
      const { capabilities } = open;
      const small = await WebGpuBackend.on({
        ...open,
        capabilities: {
          ...capabilities,
          float16: float16 && capabilities.float16,
          limits: { ...capabilities.limits, maxStorageBufferBindingSize: 1024 },
        },
      });
      const parts = partsOf(9, [2, 3, 20, 33], dtype, dtype);
      const views = parts.map(({ output, logSumExp }) => ({
        output: transpose(output, [1, 2, 0, 3]),
        logSumExp: transpose(logSumExp, [1, 2, 0]),
      }));
      for (const call of [parts, views, [...views.slice(4), ...views.slice(0, 4)]]) {
        const plan = await small.plan(merge.describe({ parts: call }));
        expect(plan.description.dispatches).toBeGreaterThan(10);
        checkMerged(call, (await plan.run({ parts: call })) as MergeOutputs<HostTensor>);
        plan.dispose();
      }
      small.dispose();
    },
  );

  test("without shader-f16, copies of float16 outputs are those of a few parts only", async () => {
    const open = await sharedDevice();
    const without = await WebGpuBackend.on({
      ...open,
      capabilities: { ...open.capabilities, float16: false },
    });
    const workspace: number[] = [];
    for (const count of [6, 20]) {
      const parts = emptyRows(count, "float16", "float16");
      const plan = await without.plan(merge.describe({ parts }));
      checkMerged(parts, (await plan.run({ parts })) as MergeOutputs<HostTensor>);
      workspace.push(plan.description.workspaceBytes - 4 * 30 * count);
      plan.dispose();
    }
    expect(workspace[1]).toBe(workspace[0]);
    without.dispose();
  });

  test("float64 is refused with a reason, wherever it stands", () => {
    const [part] = partsOf(1, [2, 3]) as [Part];
    const double = (name: keyof Part) => ({ ...part, [name]: cast(part[name], "float64") });
    for (const wrong of [double("output"), double("logSumExp")]) {
      expect(backend.supports(merge.describe({ parts: [wrong] }))).toMatchObject({
        ok: false,
        reasons: [{ code: "dtype" }],
      });
    }
  });
});

test("axes are joined where all tensors step through them as through one", () => {
  const operand = (...strides: number[]) => ({ offset: 0, strides, elementBytes: 4 });
  const joined = joinAxes([2, 3, 1, 5], [operand(15, 5, 7, 1), operand(15, 5, 0, 1)]);
  expect(joined.sizes).toEqual([30]);
  expect(joined.operands.map(({ strides }) => strides)).toEqual([[1], [1]]);
  const apart = joinAxes([2, 3, 5], [operand(15, 5, 1, 9), operand(5, 10, 1, 9)]);
  expect(apart.sizes).toEqual([2, 3, 5]);
  expect(apart.operands[1]?.strides).toEqual([5, 10, 1, 9]);
  expect(joinAxes([2, 3, 5], [operand(90, 30, 1)]).operands[0]?.strides).toEqual([30, 1]);
  expect(joinAxes([1], [operand(4, 1)]).operands[0]?.strides).toEqual([0, 1]);
});

test("a problem is scheduled for the floor of all devices; a row of too many parts is refused", () => {
  const shape = [4, 32, 4096, 128];
  const zero = (of: readonly number[]) => broadcastTo(tensor(new Float32Array(1), [1]), of);
  const parts = Array.from({ length: 20 }, () => ({
    output: zero(shape),
    logSumExp: zero(shape.slice(0, -1)),
  }));
  const problem = merge.describe({ parts });
  const verdict = mergeOnDevice.decide(problem, { capabilities: floor });
  if ("reasons" in verdict) throw new Error("refused");
  const { layouts, schedule } = verdict.decision;
  for (const { windows, grid } of schedule.steps) {
    for (const { size } of windows) {
      expect(size).toBeLessThanOrEqual(floor.limits.maxStorageBufferBindingSize);
    }
    for (const workgroups of grid) {
      expect(workgroups).toBeLessThanOrEqual(floor.limits.maxComputeWorkgroupsPerDimension);
    }
  }
  // The outputs are twice as large as a binding.
  expect(schedule.steps.length).toBeGreaterThan(2 * Math.ceil(20 / 6));
  const again = scheduleMerge(problem, layouts, floor);
  expect(again?.steps.map(({ params }) => params)).toEqual(
    schedule.steps.map(({ params }) => params),
  );
  const limits = { ...floor.limits, maxStorageBufferBindingSize: 64 };
  const refused = mergeOnDevice.decide(problem, { capabilities: { ...floor, limits } });
  expect(refused).toMatchObject({ reasons: [{ code: "size" }] });
});
