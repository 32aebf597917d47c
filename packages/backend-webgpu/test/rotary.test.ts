/** Rotary position embedding against core's float64 reference. */
import { webgpu } from "@heed/backend-webgpu";
import { Random } from "@heed/conformance";
import {
  cast,
  createAttention,
  type DeviceTensor,
  type HostTensor,
  isDeviceTensor,
  type RotaryInputs,
  rotary,
  slice,
  toFloat64,
  transpose,
  zeros,
} from "@heed/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebGpuBackend } from "../src/backend.js";
import { floor } from "../src/capabilities.js";
import { rotaryOnDevice } from "../src/rotary/program.js";
import { scheduleRotary } from "../src/rotary/schedule.js";
import { available } from "./available.js";
import { sharedDevice } from "./devices.js";

const random = new Random("rotary");
const input = (shape: readonly number[], dtype: "float32" | "float16" = "float32") =>
  random.tensor(shape, dtype);

const perToken = { cos: input([2, 5, 4]), sin: input([2, 5, 4]) };
const table = { cos: input([40, 4]), sin: input([40, 4]) };

/** Calls by what is special about them. */
const calls: readonly (readonly [string, RotaryInputs<HostTensor>])[] = [
  ["one vector", { input: input([1, 1, 1, 2]), theta: 10_000, offset: 7 }],
  ["theta", { input: input([2, 3, 5, 16]), theta: 10_000 }],
  ["interleaved pairs", { input: input([2, 3, 5, 16]), theta: 500, interleaved: true }],
  ["a part of each vector", { input: input([2, 3, 5, 15]), theta: 100, rotaryDim: 8 }],
  [
    "a part, interleaved",
    { input: input([1, 2, 7, 11]), theta: 100, rotaryDim: 6, interleaved: true, offset: 3 },
  ],
  ["an offset for each batch", { input: input([2, 3, 5, 8]), theta: 1e4, offset: [3, 900] }],
  [
    "positions",
    {
      input: input([2, 3, 5, 8]),
      inverseFrequencies: [1, 0.5, 0.1, 0.01],
      positions: Int32Array.from([0, 9, 3, 3, 70, 1, 2, 80, 4, 5]),
    },
  ],
  [
    "tables",
    { input: input([2, 3, 5, 8]), ...table, positions: Int32Array.from([7, 0, 39, 2, 2]) },
  ],
  ["one row a token", { input: input([2, 3, 5, 8]), ...perToken }],
  [
    "strided inputs and tables",
    {
      input: transpose(input([2, 5, 3, 8]), [0, 2, 1, 3]),
      cos: slice(input([40, 9]), 1, 3, 7),
      sin: slice(input([40, 9]), 1, 1, 5),
      offset: 11,
    },
  ],
  [
    "one row a token, strided",
    { input: input([2, 3, 5, 8]), cos: slice(input([2, 9, 4]), 1, 2, 7), sin: input([2, 5, 4]) },
  ],
  ["float16", { input: input([2, 3, 5, 16], "float16"), theta: 10_000, offset: 5 }],
  [
    "float16 with tables of float16",
    {
      input: input([1, 3, 5, 8], "float16"),
      cos: cast(table.cos, "float16"),
      sin: cast(table.sin, "float16"),
    },
  ],
  [
    "float16 views",
    {
      input: slice(input([1, 3, 9, 8], "float16"), 2, 3, 8),
      cos: slice(cast(table.cos, "float16"), 0, 3, 20),
      sin: slice(cast(table.sin, "float16"), 0, 3, 20),
    },
  ],
  ["nothing", { input: input([2, 0, 5, 8]), theta: 10 }],
];

describe.skipIf(!available)("rotary", () => {
  let backend: WebGpuBackend;
  beforeAll(async () => {
    backend = await webgpu({ allowFallbackAdapter: true }).load();
  });
  afterAll(() => backend.dispose());

  const reference = (call: RotaryInputs<HostTensor>): Float64Array =>
    toFloat64(rotary.reference(rotary.bind(rotary.describe(call), call)).output as HostTensor);

  async function check(call: RotaryInputs<HostTensor>, output: HostTensor): Promise<void> {
    const expected = reference(call);
    const got = toFloat64(output);
    expect(output.shape).toEqual(call.input.shape);
    expect(output.dtype).toBe(call.input.dtype);
    const [x, c, s] = [call.input, call.cos, call.sin].map((t) =>
      t ? Math.max(1, ...toFloat64(t).map(Math.abs)) : 1,
    ) as [number, number, number];
    const half = call.input.dtype === "float16";
    for (const [i, value] of expected.entries()) {
      // Half of the distance to the next float16.
      const rounding = half ? Math.abs(value) * 2 ** -11 + 2 ** -25 : 0;
      const allowed = rounding + x * (c + s) * 2 ** -22;
      expect(Math.abs((got[i] as number) - value)).toBeLessThanOrEqual(allowed);
    }
  }

  test.each(calls)("%s", async (_, call) => {
    const plan = await backend.plan(rotary.describe(call));
    const { output } = (await plan.run(call)) as { output: HostTensor };
    await check(call, output);
    // The same with everything on the device, where the output then stays.
    const device: Record<string, DeviceTensor> = {};
    for (const name of ["input", "cos", "sin"] as const) {
      const t = call[name];
      if (t) device[name] = await backend.upload(t);
    }
    const resident = await plan.run({ ...call, ...device } as RotaryInputs);
    expect(isDeviceTensor(resident.output)).toBe(true);
    await check(call, await (resident.output as DeviceTensor).read());
    for (const t of [...Object.values(device), resident.output as DeviceTensor]) t.dispose();
    plan.dispose();
  });

  test("positions are data: one plan serves every step of a decode loop", async () => {
    const step = (offset: number) => ({ input: input([1, 2, 1, 8]), theta: 100, offset });
    const plan = await backend.plan(rotary.describe(step(0)));
    const steps = [0, 1, 500, 31_000].map(step);
    const results = await Promise.all(steps.map((call) => plan.run(call)));
    for (const [i, { output }] of results.entries()) {
      await check(steps[i] as RotaryInputs<HostTensor>, output as HostTensor);
    }
    plan.dispose();
  });

  test("what is larger than a binding is computed in parts, and a larger table refused", async () => {
    const open = await sharedDevice();
    const limits = { ...open.capabilities.limits, maxStorageBufferBindingSize: 1024 };
    const small = await WebGpuBackend.on({
      ...open,
      capabilities: { ...open.capabilities, limits },
    });
    const call = {
      input: input([2, 3, 40, 16]),
      theta: 1000,
      positions: Int32Array.from({ length: 40 }, (_, i) => i % 30),
    };
    const tables = {
      input: call.input,
      cos: input([30, 8]),
      sin: input([30, 8]),
      positions: call.positions,
    };
    const problem = rotary.describe(tables);
    const plan = await small.plan(problem);
    expect(plan.description.dispatches).toBeGreaterThan(10);
    const { output } = (await plan.run(tables)) as { output: HostTensor };
    await check(tables, output);
    expect(
      small.supports(rotary.describe({ ...tables, cos: input([40, 8]), sin: input([40, 8]) })),
    ).toMatchObject({
      ok: false,
      reasons: [{ code: "size" }],
    });
    plan.dispose();
    small.dispose();
  });

  test("attention.apply computes it, and refuses float64 with a reason", async () => {
    const attention = await createAttention({ backends: [webgpu({ allowFallbackAdapter: true })] });
    const call = { input: input([1, 2, 3, 8]), theta: 10 };
    const { output } = await attention.apply(rotary, call);
    await check(call, output as HostTensor);
    const double = { ...call, input: cast(call.input, "float64") };
    await expect(attention.apply(rotary, double)).rejects.toThrow(/float64/);
    await attention.dispose();
  });
});

test("a problem is scheduled for the floor of all devices", () => {
  const problem = rotary.describe({ input: zeros("float32", [4, 32, 2048, 128]), theta: 10_000 });
  const verdict = rotaryOnDevice.decide(problem, { capabilities: floor });
  if ("reasons" in verdict) throw new Error("refused");
  const { layouts, schedule } = verdict.decision;
  expect(schedule.steps.map(({ kernel }) => kernel.name)).toContain("rotary-pairs-f32");
  for (const { windows } of schedule.steps) {
    for (const { size } of windows) {
      expect(size).toBeLessThanOrEqual(floor.limits.maxStorageBufferBindingSize);
    }
  }
  expect(scheduleRotary(problem, layouts, floor)).toEqual(schedule);
});
