import { wasm } from "@heed/backend-wasm";
import { Random } from "@heed/conformance";
import {
  type AttentionBackend,
  createAttention,
  type DeviceTensor,
  DisposedError,
  describeProblem,
  type HostTensor,
  InvalidInputError,
  isDeviceTensor,
  slice,
  splitHeads,
  tensor,
  toFloat64,
  transpose,
} from "@heed/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { calls } from "./calls.js";

let backend: AttentionBackend & { upload(t: HostTensor): Promise<DeviceTensor> };
beforeAll(async () => {
  backend = (await wasm({ threads: 1 }).load()) as typeof backend;
});
afterAll(() => backend.dispose());

const call = calls.prefill;

test("outputs stay where the inputs are, and are the same numbers", async () => {
  const attention = await createAttention({ backends: [wasm({ threads: 1 })] });
  const asked = { ...call, returns: { logSumExp: true, weights: true } };
  const host = await attention.run(asked);
  const own = (await wasm({ threads: 1 }).load()) as typeof backend;
  const key = await own.upload(call.key);
  const plan = await own.plan(describeProblem(asked));
  const device = await plan.run({ ...asked, key });
  for (const name of ["output", "logSumExp", "weights"] as const) {
    const t = device[name];
    if (!t || !isDeviceTensor(t)) throw new Error(`${name} is not on the device`);
    expect(t.backend).toBe("wasm");
    expect(toFloat64(await t.read())).toEqual(toFloat64(host[name] as HostTensor));
    t.dispose();
  }
  // Device tensors outlive their backend.
  own.dispose();
  expect(toFloat64(await key.read())).toEqual(toFloat64(call.key));
  await attention.dispose();
});

test("an output can be the next call's input", async () => {
  const plan = await backend.plan(
    describeProblem({ query: call.key, key: call.key, value: call.key }),
  );
  const key = await backend.upload(call.key);
  const { output } = await plan.run({ query: key, key, value: key });
  const twice = await plan.run({ query: output, key, value: key });
  const host = await plan.run({ query: call.key, key: call.key, value: call.key });
  const hostTwice = await plan.run({ query: host.output, key: call.key, value: call.key });
  expect(toFloat64(await (twice.output as DeviceTensor).read())).toEqual(
    toFloat64(hostTwice.output as HostTensor),
  );
});

test("whatever its strides, a tensor comes back as it was", async () => {
  const random = new Random("strides");
  const base = random.tensor([2, 3, 4, 5], "float32");
  const wide = random.tensor([2, 6, 70], "float32");
  const views = [
    base,
    transpose(base, [0, 2, 1, 3]),
    transpose(base, [3, 2, 1, 0]),
    slice(base, 2, 1, 3),
    slice(base, 3, 2),
    splitHeads(wide, 7),
    splitHeads(slice(wide, 2, 0, 68), 1),
    tensor(base.data, [2, 3, 1, 5], { strides: [60, 0, 7, 1] }),
    tensor(base.data, [2, 3, 4], { strides: [1, 0, 0] }),
    slice(base, 1, 0, 0),
    tensor(base.data.subarray(0, 1), []),
    random.tensor([3, 70], "float16"),
    transpose(random.tensor([3, 70], "float16"), [1, 0]),
    random.mask([3, 5], 0.5),
  ];
  for (const view of views) {
    const device = await backend.upload(view);
    expect(device.shape).toEqual(view.shape);
    const back = await device.read();
    expect(back.dtype).toBe(view.dtype);
    expect(toFloat64(back)).toEqual(toFloat64(view));
    device.dispose();
  }
});

test("foreign, disposed and unusable tensors are refused by name", async () => {
  const other = (await wasm({ threads: 1 }).load()) as typeof backend;
  const plan = await backend.plan(describeProblem(call));
  const foreign = await other.upload(call.key);
  await expect(plan.run({ ...call, key: foreign })).rejects.toThrow(
    /key: expected a tensor of this backend, got one of another wasm backend/,
  );
  const gone = await backend.upload(call.value);
  gone.dispose();
  expect(gone.disposed).toBe(true);
  await expect(plan.run({ ...call, value: gone })).rejects.toThrow(DisposedError);
  await expect(gone.read()).rejects.toThrow(DisposedError);
  const float64 = tensor(new Float64Array(4), [4]);
  await expect(backend.upload(float64)).rejects.toThrow(InvalidInputError);
  other.dispose();
  await expect(other.upload(call.key)).rejects.toThrow(DisposedError);
  plan.dispose();
  await expect(plan.run(call)).rejects.toThrow(DisposedError);
});

test("views of device tensors are inputs, whichever way they lie", async () => {
  const random = new Random("device views");
  const [heads, length, size] = [3, 11, 8];
  const projected = random.tensor([1, length, heads * size], "float32");
  const turned = random.tensor([1, heads, size, length], "float32");
  const wide = random.tensor([1, heads, length + 5, size + 4], "float32");
  const flags = random.mask([length, length], 0.6);
  const bias = random.tensor([1, 1, length, length + 2], "float32");
  const host = {
    query: splitHeads(projected, heads),
    // Neighbours of a row are not neighbours in memory.
    key: transpose(turned, [0, 1, 3, 2]),
    value: slice(slice(wide, 2, 5), 3, 3, 3 + size),
    mask: transpose(flags, [1, 0]),
    bias: slice(bias, 3, 2),
  };
  const viewOf = async (whole: HostTensor, { shape, strides, offset }: HostTensor) => {
    const device = await backend.upload(whole);
    const view = device.view?.({ shape, strides, offset }) as DeviceTensor;
    // The view keeps the memory.
    device.dispose();
    return view;
  };
  const device = {
    query: await viewOf(projected, host.query),
    key: await viewOf(turned, host.key),
    value: await viewOf(wide, host.value),
    mask: await viewOf(flags, host.mask),
    bias: await viewOf(bias, host.bias),
  };
  for (const name of ["query", "key", "value", "mask", "bias"] as const) {
    expect(toFloat64(await device[name].read())).toEqual(toFloat64(host[name]));
  }
  const plan = await backend.plan(describeProblem(host));
  const expected = await plan.run(host);
  const got = await plan.run(device);
  expect(toFloat64(await (got.output as DeviceTensor).read())).toEqual(
    toFloat64(expected.output as HostTensor),
  );
});

test("allocated tensors are zeros, also where others were before", async () => {
  const { memory } = backend as Required<AttentionBackend>;
  const noise = new Random("noise").tensor([1000], "float32");
  (await backend.upload(noise)).dispose();
  for (const dtype of ["float32", "float16", "bool"] as const) {
    const fresh = memory.allocate(dtype, [10, 100]);
    expect(fresh).toMatchObject({ dtype, shape: [10, 100], strides: [100, 1] });
    expect(toFloat64(await fresh.read()).every((x) => x === 0)).toBe(true);
    fresh.dispose();
  }
  expect(() => memory.allocate("float64", [4])).toThrow(InvalidInputError);
});
