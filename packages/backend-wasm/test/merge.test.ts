import { wasm } from "@heed/backend-wasm";
import { Random } from "@heed/conformance";
import {
  type Backend,
  broadcastTo,
  type DeviceTensor,
  type HostTensor,
  isDeviceTensor,
  type MergeInputs,
  merge,
  type PartialAttention,
  reference,
  slice,
  type Tensor,
  tensor,
  toFloat64,
  transpose,
} from "@heed/core";
import { describe, expect, test } from "vitest";
import { loadWasm } from "../src/load.js";
import { backendOver } from "./backends.js";

type Part = PartialAttention<HostTensor>;
type DType = "float32" | "float16";

const best = await wasm({ threads: 1 }).load();
const baseline = await wasm({ threads: 1, simd: "baseline" }).load();
const oracle = await reference().load();

const random = new Random("merge");
const empty = Number.NEGATIVE_INFINITY;

async function merged(backend: Backend, inputs: MergeInputs): Promise<PartialAttention<Tensor>> {
  return (await backend.plan(merge.describe(inputs))).run(inputs);
}

async function toHost(t: Tensor): Promise<HostTensor> {
  return isDeviceTensor(t) ? await t.read() : (t as HostTensor);
}

/** A tensor's elements as integers, whose neighbours are neighbouring numbers; null for NaN. */
function ranks(t: HostTensor): (number | null)[] {
  const values = toFloat64(t);
  const half = t.dtype === "float16";
  const Bits = half ? Int16Array : Int32Array;
  const bits = new Bits(t.data.buffer as ArrayBuffer, t.data.byteOffset, t.data.length);
  const sign = half ? -(2 ** 15) : -(2 ** 31);
  return [...bits].map((n, i) => (Number.isNaN(values[i]) ? null : n < 0 ? sign - n : n));
}

/** Both outputs have the reference's shape, dtype and, but for one unit in the last place, numbers. */
async function expectMerged(got: PartialAttention<Tensor>, parts: readonly Part[]): Promise<void> {
  const exact = (await merged(oracle, { parts })) as Part;
  for (const name of ["output", "logSumExp"] as const) {
    const host = await toHost(got[name]);
    expect(host.dtype).toBe(exact[name].dtype);
    expect(host.shape).toEqual(exact[name].shape);
    const expected = ranks(exact[name]);
    const worst = ranks(host).reduce<number>((most, rank, i) => {
      const other = expected[i] as number | null;
      if (rank === null || other === null) return rank === other ? most : Number.NaN;
      return Math.max(most, Math.abs(rank - other));
    }, 0);
    expect(worst, name).toBeLessThanOrEqual(1);
  }
}

/** Parts of random numbers whose log-sum-exps are up to 8 from 0. */
function makeParts(
  count: number,
  shape: readonly number[],
  valueDim: number,
  dtype: DType = "float32",
  logSumExpDType: DType = "float32",
): Part[] {
  return Array.from({ length: count }, () => ({
    output: random.tensor([...shape, valueDim], dtype),
    logSumExp: scaled(random.tensor(shape, "float32"), 2, logSumExpDType),
  }));
}

function scaled(t: HostTensor, factor: number, dtype: DType): HostTensor {
  const values = Float32Array.from(toFloat64(t), (x) => x * factor);
  if (dtype === "float32") return tensor(values, t.shape);
  return tensor(Array.from(values), t.shape, { dtype });
}

/** Parts with every kind of strides, for rows of shape [2, 3, 5]. */
function views(dtype: DType): Part[] {
  const tensors = (shape: readonly number[]): HostTensor => random.tensor(shape, dtype);
  return [
    { output: tensors([2, 3, 5, 10]), logSumExp: tensors([2, 3, 5]) },
    {
      output: transpose(tensors([2, 5, 3, 10]), [0, 2, 1, 3]),
      logSumExp: transpose(tensors([5, 3, 2]), [2, 1, 0]),
    },
    {
      output: transpose(tensors([10, 3, 5, 2]), [3, 1, 2, 0]),
      logSumExp: slice(tensors([2, 3, 9]), 2, 3, 8),
    },
    {
      output: slice(slice(tensors([4, 3, 7, 10]), 2, 1, 6), 0, 1, 3),
      logSumExp: broadcastTo(tensors([3, 1]), [2, 3, 5]),
    },
    {
      output: broadcastTo(tensors([1, 3, 1, 1]), [2, 3, 5, 10]),
      logSumExp: broadcastTo(tensors([1]), [2, 3, 5]),
    },
  ];
}

describe.each([
  ["the best build", best],
  ["baseline SIMD", baseline],
])("%s", (_, backend) => {
  const dtypes: [DType, DType][] = [
    ["float32", "float32"],
    ["float32", "float16"],
    ["float16", "float32"],
    ["float16", "float16"],
  ];
  test.each(dtypes)("%s outputs and %s log-sum-exps", async (dtype, logSumExpDType) => {
    for (const count of [1, 2, 3, 9]) {
      for (const valueDim of [1, 7, 64, 80]) {
        const parts = makeParts(count, [2, 3, 5], valueDim, dtype, logSumExpDType);
        await expectMerged(await merged(backend, { parts }), parts);
      }
    }
  });

  test.each([0, 1, 2, 8])("%i axes of rows", async (axes) => {
    const parts = makeParts(3, [2, 3, 1, 2, 1, 2, 3, 2].slice(0, axes), 5);
    await expectMerged(await merged(backend, { parts }), parts);
  });

  test.each([
    { shape: [2, 0, 3], valueDim: 4 },
    { shape: [2, 3], valueDim: 0 },
  ])("no elements: $shape of $valueDim", async ({ shape, valueDim }) => {
    const parts = makeParts(2, shape, valueDim);
    await expectMerged(await merged(backend, { parts }), parts);
  });

  test("empty parts contribute nothing, whatever their outputs hold", async () => {
    for (const dtype of ["float32", "float16"] as const) {
      const parts = makeParts(4, [6], 7, dtype, dtype);
      // Row r is empty in the parts whose bits r has; row 5 in all of them.
      const holes = [0b0001, 0b1000, 0b0110, 0b0111, 0b1110, 0b1111];
      const holed = parts.map(({ output, logSumExp }, p) => {
        const isEmpty = (row: number): boolean => (((holes[row] as number) >> p) & 1) === 1;
        const bad = [Number.NaN, Number.POSITIVE_INFINITY][p % 2] as number;
        const values = [...toFloat64(output)].map((x, i) => (isEmpty(Math.floor(i / 7)) ? bad : x));
        const lses = [...toFloat64(logSumExp)].map((x, row) => (isEmpty(row) ? empty : x));
        return {
          output: tensor(values, [6, 7], { dtype }),
          logSumExp: tensor(lses, [6], { dtype }),
        };
      });
      const got = await merged(backend, { parts: holed });
      await expectMerged(got, holed);
      const output = toFloat64(await toHost(got.output));
      expect(output.every(Number.isFinite)).toBe(true);
      expect([...output.subarray(35)]).toEqual([0, 0, 0, 0, 0, 0, 0]);
      expect(toFloat64(await toHost(got.logSumExp))[5]).toBe(empty);
    }
  });

  test("one part is returned bit by bit", async () => {
    const values = Float32Array.of(-0, 1e-45, -3e38, Number.POSITIVE_INFINITY, 5.5, 1, 2, 3, 4);
    const parts = [
      { output: tensor(values, [1, 9]), logSumExp: tensor(Float32Array.of(-77.7), [1]) },
    ];
    const { output, logSumExp } = await merged(backend, { parts });
    // 0 + −0 is 0, in the reference too.
    expect([...toFloat64(await toHost(output))]).toEqual([0, ...values.subarray(1)]);
    expect([...toFloat64(await toHost(logSumExp))]).toEqual([Math.fround(-77.7)]);
  });

  test("NaN and +∞ among the log-sum-exps make their row NaN and no other", async () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      for (const at of [0, 1, 2]) {
        const parts = makeParts(3, [4], 6).map(({ output, logSumExp }, p) => {
          const lses = Float32Array.from(toFloat64(logSumExp));
          lses[3] = empty;
          if (p === at) lses[1] = bad;
          else lses[2] = empty;
          return { output, logSumExp: tensor(lses, [4]) };
        });
        const got = await merged(backend, { parts });
        await expectMerged(got, parts);
        const nan = [...toFloat64(await toHost(got.output))].map(Number.isNaN);
        expect(nan).toEqual(nan.map((_, i) => Math.floor(i / 6) === 1));
        expect(toFloat64(await toHost(got.logSumExp))[1]).toBeNaN();
      }
    }
  });

  test("weights are exact over the whole range of differences, and far from 0", async () => {
    const rows = 2400;
    const difference = (row: number): number => (row * 800) / rows;
    for (const largest of [0, 1000, -1e6, 3e38]) {
      const low = Float32Array.from({ length: rows }, (_, row) => largest - difference(row));
      // The second part's output is its weight, as large as it can be without overflow.
      const parts = [
        {
          output: tensor(new Float32Array(rows), [rows, 1]),
          logSumExp: tensor(new Float32Array(rows).fill(largest), [rows]),
        },
        {
          output: tensor(new Float32Array(rows).fill(2 ** 127), [rows, 1]),
          logSumExp: tensor(low, [rows]),
        },
      ];
      await expectMerged(await merged(backend, { parts }), parts);
    }
  });

  test("sums that cancel keep their digits", async () => {
    const row = (values: number[]): HostTensor => tensor(Float32Array.from(values), [1, 5]);
    const zero = tensor(new Float32Array(1), [1]);
    const parts = [
      { output: row([1e30, 1, 16777216, 3e38, -1e-40]), logSumExp: zero },
      { output: row([-1e30, 2 ** -23, 1, 3e38, 1e-40]), logSumExp: zero },
      { output: row([7, -1, -16777216, 3e38, 1e-45]), logSumExp: zero },
    ];
    await expectMerged(await merged(backend, { parts }), parts);
  });

  test("views: transposed, sliced, repeated, and rows that are no neighbours", async () => {
    for (const dtype of ["float32", "float16"] as const) {
      const parts = views(dtype);
      await expectMerged(await merged(backend, { parts }), parts);
    }
  });
});

test("in wasm memory: views are inputs, and the result is the next call's input", async () => {
  const wasm = await loadWasm({ threads: 1 });
  const backend = await backendOver(wasm);
  for (const dtype of ["float32", "float16"] as const) {
    const host = views(dtype);
    // Whole tensors are uploaded, and the views are made there.
    const whole = await Promise.all(
      [
        random.tensor([2, 5, 3, 10], dtype),
        random.tensor([5, 3, 2], dtype),
        random.tensor([10, 3, 5, 2], dtype),
        random.tensor([2, 3, 9], dtype),
      ].map(async (t) => [t, await backend.upload(t)] as const),
    );
    const [output, lse, columns, wide] = whole as [Pair, Pair, Pair, Pair];
    const view = (side: 0 | 1): PartialAttention<Tensor>[] => [
      {
        output: transpose(output[side], [0, 2, 1, 3]),
        logSumExp: transpose(lse[side], [2, 1, 0]),
      },
      { output: transpose(columns[side], [3, 1, 2, 0]), logSumExp: slice(wide[side], 2, 4) },
      // A part on the host beside those in wasm memory.
      host[4] as Part,
    ];
    const before = wasm.memory.used;
    const got = await merged(backend, { parts: view(1) });
    await expectMerged(got, view(0) as Part[]);
    for (const t of [got.output, got.logSumExp]) {
      if (!isDeviceTensor(t)) throw new Error("the result is not in wasm memory");
    }
    if (dtype === "float32") {
      const first = { output: await toHost(got.output), logSumExp: await toHost(got.logSumExp) };
      const next = await merged(backend, { parts: [got, host[0] as Part] });
      await expectMerged(next, [first, host[0] as Part]);
      for (const t of [next.output, next.logSumExp]) (t as DeviceTensor).dispose();
    }
    for (const t of [got.output, got.logSumExp]) (t as DeviceTensor).dispose();
    expect(wasm.memory.used).toBe(before);
  }
  await expect(merged(best, { parts: [await uploaded(backend)] })).rejects.toThrow(
    /parts\[0\]\.output.*another wasm backend/,
  );
});

type Pair = readonly [HostTensor, DeviceTensor];

async function uploaded(backend: Backend): Promise<PartialAttention<Tensor>> {
  const upload = backend.upload as NonNullable<typeof backend.upload>;
  const [{ output, logSumExp }] = makeParts(1, [2], 3) as [Part];
  return { output: await upload(output), logSumExp: await upload(logSumExp) };
}

test("log-sum-exps in wasm memory are read where they are, whatever their strides", async () => {
  const wasm = await loadWasm({ threads: 1 });
  const backend = await backendOver(wasm);
  const output = await backend.upload(random.tensor([64, 50, 2], "float32"));
  const logSumExp = transpose(await backend.upload(random.tensor([50, 64], "float32")), [1, 0]);
  const inputs = { parts: [{ output, logSumExp }] };
  const plan = await backend.plan(merge.describe(inputs));
  const allocated: number[] = [];
  const { allocate } = wasm.memory;
  wasm.memory.allocate = (bytes) => {
    allocated.push(bytes);
    return allocate.call(wasm.memory, bytes);
  };
  await plan.run(inputs);
  const outputs = 4 * (64 * 50 * 2 + 64 * 50);
  const total = allocated.reduce((a, b) => a + b);
  expect(total).toBe(outputs + plan.description.workspaceBytes);
});

test("float64, and what no memory holds, are refused with reasons", async () => {
  const one = random.tensor([2, 3], "float64");
  const lse = random.tensor([2], "float64");
  const exact = { parts: [{ output: one, logSumExp: lse }] };
  const mixed = { parts: [{ output: random.tensor([2, 3], "float32"), logSumExp: lse }] };
  for (const inputs of [exact, mixed]) {
    const support = best.supports(merge.describe(inputs));
    expect(support).toMatchObject({ ok: false, reasons: [{ code: "dtype" }] });
  }
  const long = broadcastTo(tensor(new Float32Array(1), [1]), [2 ** 26, 16]);
  const lses = broadcastTo(tensor(new Float32Array(1), [1]), [2 ** 26]);
  const support = best.supports(merge.describe({ parts: [{ output: long, logSumExp: lses }] }));
  expect(support).toMatchObject({ ok: false, reasons: [{ code: "memory" }] });
});

test("the kernel's name says what it does", async () => {
  const problem = merge.describe({ parts: makeParts(2, [3], 4, "float16") });
  const { description } = await baseline.plan(problem);
  expect(description.kernel).toBe("merge-rows-f16-baseline");
});
