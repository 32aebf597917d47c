import { wasm } from "@heed/backend-wasm";
import { Random } from "@heed/conformance";
import {
  type DeviceTensor,
  type HostTensor,
  isDeviceTensor,
  type RotaryInputs,
  rotary,
  splitHeads,
  tensor,
  toFloat64,
  transpose,
} from "@heed/core";
import { describe, expect, test } from "vitest";

type Call = RotaryInputs<HostTensor>;

const best = await wasm({ threads: 1 }).load();
const baseline = await wasm({ threads: 1, simd: "baseline" }).load();

const random = new Random("rotary");

function expected(call: Call): Float64Array {
  const bound = rotary.bind(rotary.describe(call), call);
  return toFloat64(rotary.reference(bound).output as HostTensor);
}

/** Within float32's rounding of two products and a sum, and float16's of the result. */
function expectClose(got: HostTensor, call: Call): void {
  const exact = expected(call);
  const values = toFloat64(got);
  const largest = Math.max(1, ...toFloat64(call.input).map(Math.abs));
  const bound = 4 * largest * (call.input.dtype === "float16" ? 2 ** -11 : 2 ** -24);
  for (let i = 0; i < exact.length; i++) {
    expect(Math.abs((values[i] as number) - (exact[i] as number))).toBeLessThanOrEqual(bound);
  }
}

const table = (rows: number, pairs: number, dtype: "float32" | "float16" = "float32") => ({
  cos: random.tensor([rows, pairs], dtype),
  sin: random.tensor([rows, pairs], dtype),
});
const input = (size: number, dtype: "float32" | "float16" = "float32") =>
  random.tensor([2, 3, 5, size], dtype);

const calls: [string, Call][] = [
  ["theta", { input: input(64), theta: 10_000 }],
  ["an offset for each batch", { input: input(8), theta: 500, offset: [3, 100] }],
  ["positions", { input: input(12), theta: 500, positions: new Int32Array([4, 0, 9, 9, 2]) }],
  ["frequencies", { input: input(10), inverseFrequencies: [1, 0.5, 0.1, 0, -1] }],
  ["a table", { input: input(18), ...table(40, 9), offset: 7 }],
  [
    "a table with a row for each token",
    {
      input: input(6),
      cos: random.tensor([2, 5, 3], "float32"),
      sin: random.tensor([2, 5, 3], "float32"),
    },
  ],
  [
    "tables whose batches repeat",
    {
      input: input(6),
      cos: tensor(random.tensor([5, 3], "float32").data, [2, 5, 3], { strides: [0, 3, 1] }),
      sin: tensor(random.tensor([5, 3], "float32").data, [2, 5, 3], { strides: [0, 3, 1] }),
    },
  ],
  ["part of each vector", { input: input(80), theta: 10_000, rotaryDim: 22, offset: 5 }],
  ["two elements", { input: input(2), theta: 10_000, offset: 1 }],
  ["float16", { input: input(30, "float16"), theta: 10_000, offset: 11 }],
  ["float16 and float16 tables", { input: input(14, "float16"), ...table(9, 7, "float16") }],
  ["a view", { input: splitHeads(random.tensor([2, 5, 3 * 16], "float32"), 3), theta: 10_000 }],
  [
    "a view whose rows are no neighbours",
    { input: transpose(random.tensor([2, 3, 16, 5], "float32"), [0, 1, 3, 2]), theta: 10_000 },
  ],
];

describe.each([
  ["the best build", best],
  ["baseline SIMD", baseline],
])("%s", (_, backend) => {
  test.each(calls)("%s", async (_, plain) => {
    for (const interleaved of [false, true]) {
      const call = { ...plain, interleaved };
      const plan = await backend.plan(rotary.describe(call));
      const { output } = await plan.run(call);
      expect(output.dtype).toBe(call.input.dtype);
      expectClose(output as HostTensor, call);
    }
  });
});

test("on tensors in wasm memory, and their result is the next operation's input", async () => {
  const upload = best.upload as NonNullable<typeof best.upload>;
  const call = { input: input(32), theta: 10_000, offset: 2 };
  const device = { ...call, input: await upload(call.input) };
  const plan = await best.plan(rotary.describe(device));
  const { output } = await plan.run(device);
  if (!isDeviceTensor(output)) throw new Error("the output is not on the device");
  expectClose(await output.read(), call);
  const back = await plan.run({ ...call, input: output, offset: 0 });
  expect((back.output as DeviceTensor).shape).toEqual([2, 3, 5, 32]);
  // Tables may be there, and the input not.
  const cos = random.tensor([9, 16], "float32");
  const sin = random.tensor([9, 16], "float32");
  const tables = { input: call.input, cos: await upload(cos), sin: await upload(sin) };
  const { output: third } = await (await best.plan(rotary.describe(tables))).run(tables);
  expectClose(await (third as DeviceTensor).read(), { input: call.input, cos, sin });
});

test("what is not rotated keeps its bits, NaN among them, and rotated NaN stays in its pair", async () => {
  const bits = new Uint16Array(8).map((_, i) => 0x7c01 + i);
  const half = tensor(bits, [1, 1, 1, 8], { dtype: "float16" });
  const call = { input: half, theta: 10_000, rotaryDim: 2 };
  const { output } = await (await best.plan(rotary.describe(call))).run(call);
  const got = (output as HostTensor).data;
  const raw = new Uint16Array(got.buffer, got.byteOffset, 8);
  expect([...raw.subarray(2)]).toEqual([...bits.subarray(2)]);
  const values = Float32Array.of(1, 2, Number.NaN, 4, 5, 6, 7, 8, 9, 10);
  const row = { input: tensor(values, [1, 1, 1, 10]), theta: 10_000, offset: 1 };
  const rotated = await (await best.plan(rotary.describe(row))).run(row);
  const nan = [...toFloat64(rotated.output as HostTensor)].map(Number.isNaN);
  expect(nan).toEqual(nan.map((_, at) => at === 2 || at === 7));
});

test("float64 is refused with a reason, and the kernel's name says what it does", async () => {
  const exact = { input: random.tensor([1, 1, 2, 4], "float64"), theta: 10_000 };
  expect(best.supports(rotary.describe(exact))).toMatchObject({
    ok: false,
    reasons: [{ code: "dtype" }],
  });
  const { description } = await baseline.plan(rotary.describe({ input: input(8), theta: 10 }));
  expect(description.kernel).toBe("rotary-halves-f32-baseline");
});
