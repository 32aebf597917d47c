import {
  createAttention,
  defineBackend,
  deviceTensor,
  fromFloat64,
  type HostTensor,
  InvalidInputError,
  implement,
  numberToFloat16Bits,
  reference,
  type ScatterInputs,
  scatter,
  scatterRows,
  slice,
  type Tensor,
  tensor,
  toFloat64,
  transpose,
  zeros,
} from "@heed/core";
import { describe, expect, test } from "vitest";

type Call = ScatterInputs<HostTensor>;

const counting = (shape: readonly number[], from = 1) =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => from + i),
    shape,
  );

/** Runs a call on copies of what it writes, through the reference and over typed arrays. */
async function compute(call: Call): Promise<{ target: number[]; scales: number[] }[]> {
  const attention = await createAttention({ backends: [reference()], selfTest: false });
  const results: { target: number[]; scales: number[] }[] = [];
  for (const way of ["apply", "rows"] as const) {
    const copy = (t: HostTensor): HostTensor => ({ ...t, data: t.data.slice() as never });
    const inputs = {
      ...call,
      target: copy(call.target),
      ...(call.scales && { scales: copy(call.scales) }),
    };
    if (way === "apply") await attention.apply(scatter, inputs);
    else scatterRows(scatter.bind(scatter.describe(inputs), inputs) as never);
    results.push({
      target: [...toFloat64(inputs.target)],
      scales: inputs.scales ? [...toFloat64(inputs.scales)] : [],
    });
  }
  await attention.dispose();
  return results;
}

function refusal(inputs: unknown): InvalidInputError {
  try {
    scatter.describe(inputs as Call);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidInputError);
    return error as InvalidInputError;
  }
  throw new Error("accepted");
}

describe("scatter", () => {
  test("writes rows of each entry to its own slots, and nothing for -1", async () => {
    const call: Call = {
      target: zeros("float32", [2, 1, 3, 2]),
      source: counting([2, 1, 2, 2]),
      slots: Int32Array.of(2, 0, -1, 1),
    };
    for (const { target } of await compute(call)) {
      expect(target).toEqual([3, 4, 0, 0, 1, 2, 0, 0, 7, 8, 0, 0]);
    }
  });

  test("leaves out any number of rows, in any order; problems that differ in one size are two", async () => {
    const call = (changes: Partial<Call> = {}): Call => ({
      target: zeros("float32", [1, 1, 4, 2]),
      source: counting([1, 1, 4, 2]),
      slots: Int32Array.of(3, -1, -1, 1),
      ...changes,
    });
    for (const { target } of await compute(call())) {
      expect(target).toEqual([0, 0, 7, 8, 0, 0, 1, 2]);
    }
    const others: Partial<Call>[] = [
      {},
      { target: zeros("float32", [1, 1, 5, 2]) },
      { target: zeros("float16", [1, 1, 4, 2]) },
      { target: zeros("float32", [1, 1, 4, 3]), source: counting([1, 1, 4, 3]) },
      { target: zeros("float32", [1, 2, 4, 2]), source: counting([1, 2, 4, 2]) },
      { source: counting([1, 1, 3, 2]), slots: Int32Array.of(3, -1, 1) },
      { target: zeros("float32", [2, 1, 4, 2]), paged: true },
    ];
    const keys = others.map((changes) => scatter.describe(call(changes)).key);
    expect(new Set(keys).size).toBe(others.length);
  });

  test("writes into pages, by page · rows + row; told apart by sizes or by the flag", async () => {
    const source = counting([2, 2, 1, 1]);
    const slots = tensor(Int32Array.of(5, 0), [2, 1]);
    for (const { target } of await compute({
      target: zeros("float32", [3, 2, 2, 1]),
      source,
      slots,
    })) {
      expect(target).toEqual([3, 0, 4, 0, 0, 0, 0, 0, 0, 1, 0, 2]);
    }
    const same = { target: zeros("float32", [2, 2, 2, 1]), source, slots };
    expect(refusal(same).argument).toBe("slots");
    const paged = { ...same, slots: Int32Array.of(3, 0), paged: true };
    for (const { target } of await compute(paged)) expect(target).toEqual([3, 0, 4, 0, 0, 1, 0, 2]);
  });

  test("rounds once to the target's dtype", async () => {
    // By way of float32, this halfway case would be rounded twice, to 1.
    const x = 1 + 2 ** -11 + 2 ** -30;
    const source = tensor(Float64Array.of(x, -x), [1, 1, 1, 2]);
    const target = zeros("float16", [1, 1, 1, 2]);
    for (const result of await compute({ target, source, slots: Int32Array.of(0) })) {
      expect(result.target).toEqual([1 + 2 ** -10, -1 - 2 ** -10]);
    }
    const wide = {
      target: zeros("float64", [1, 1, 1, 1]),
      source: fromFloat64([0.1], [1, 1, 1, 1], "float16"),
    };
    for (const result of await compute({ ...wide, slots: Int32Array.of(0) })) {
      expect(result.target).toEqual([...toFloat64(wide.source)]);
    }
  });

  test("float32 becomes float16 as every other number does", async () => {
    // All exponents, with fractions at and around the halves that are rounded.
    const fractions = [0, 1, 0xfff, 0x1000, 0x1001, 0x2fff, 0x3000, 0x3001, 0x7fefff, 0x7fffff];
    const bits = Uint32Array.from({ length: 512 * fractions.length }, (_, at) => {
      const [high, low] = [Math.floor(at / fractions.length), at % fractions.length];
      return ((high << 23) | (fractions[low] as number)) >>> 0;
    });
    const source = tensor(new Float32Array(bits.buffer), [1, 1, 1, bits.length]);
    const data = new Uint16Array(bits.length);
    const target = tensor(data, source.shape, { dtype: "float16" });
    const call = { target, source, slots: Int32Array.of(0) };
    scatterRows(scatter.bind(scatter.describe(call), call) as never);
    expect([...data]).toEqual([...toFloat64(source)].map(numberToFloat16Bits));
  });

  test.each(["float64", "float32", "float16"] as const)(
    "copies %s through any strides",
    async (dtype) => {
      const source = transpose(
        fromFloat64(
          [Math.fround(1 / 3), -0, 1e-7, Number.NaN, -7.5, Infinity],
          [1, 1, 3, 2],
          dtype,
        ),
        [0, 1, 3, 2],
      );
      const target = transpose(zeros(dtype, [1, 1, 3, 3]), [0, 1, 3, 2]);
      for (const result of await compute({ target, source, slots: Int32Array.of(2, 0) })) {
        const [a, b] = [toFloat64(source).subarray(0, 3), toFloat64(source).subarray(3)];
        expect(result.target).toEqual([...b, 0, 0, 0, ...a]);
      }
    },
  );

  test("quantises a row by its largest magnitude, halves to even", async () => {
    const rows = [
      [127, -63.5, 2.5, 1.5, -0.5],
      [0, 0, -0, 0, 0],
      [1, Number.NaN, 2, 3, 4],
      [1, Number.NEGATIVE_INFINITY, 2, 3, 4],
      [-1e300, 0, 0, 0, 0],
      [2 ** -149, -(2 ** -149), 0, 0, 0],
    ];
    const source = tensor(Float64Array.from(rows.flat()), [1, 1, 6, 5]);
    const call: Call = {
      target: fromFloat64(new Array(40).fill(9), [1, 1, 8, 5], "int8"),
      scales: fromFloat64(new Array(8).fill(7), [1, 1, 8], "float32"),
      source,
      slots: Int32Array.of(1, 2, 3, 4, 5, 6),
    };
    const nine = [9, 9, 9, 9, 9];
    const none = [0, 0, 0, 0, 0];
    for (const { target, scales } of await compute(call)) {
      expect(target.slice(0, 10)).toEqual([...nine, 127, -64, 2, 2, -0].map((x) => x + 0));
      expect(target.slice(10)).toEqual([...none, ...none, ...none, ...none, ...none, ...nine]);
      expect(scales).toEqual([7, 1, 0, Number.NaN, Number.NaN, Number.NaN, 0, 7]);
    }
  });

  test("a scale that is subnormal clamps its row", async () => {
    const source = tensor(Float64Array.of(190 * 2 ** -149, -(2 ** -149)), [1, 1, 1, 2]);
    const call: Call = {
      target: zeros("int8", [1, 1, 1, 2]),
      scales: zeros("float32", [1, 1, 1]),
      source,
      slots: Int32Array.of(0),
    };
    for (const { target, scales } of await compute(call)) {
      expect(scales).toEqual([2 ** -149]);
      expect(target).toEqual([127, -1]);
    }
    const negative = fromFloat64(
      [...toFloat64(source)].map((x) => -x),
      [1, 1, 1, 2],
      "float64",
    );
    for (const { target } of await compute({ ...call, source: negative })) {
      expect(target).toEqual([-127, 1]);
    }
  });

  test("other rows keep their bits, through any strides", async () => {
    const bits = Uint32Array.from({ length: 60 }, (_, i) => 0x7fa00000 + i);
    const held = tensor(new Float32Array(bits.buffer), [2, 5, 3, 2]);
    const target = transpose(held, [0, 2, 1, 3]);
    const source = transpose(counting([2, 1, 3, 2]), [0, 2, 1, 3]);
    const attention = await createAttention({ backends: [reference()], selfTest: false });
    const result = await attention.apply(scatter, { target, source, slots: Int32Array.of(3, 0) });
    await attention.dispose();
    expect(result.target).toBe(target);
    const written = [...[18, 19, 20, 21, 22, 23], ...[30, 31, 32, 33, 34, 35]];
    for (let i = 0; i < 60; i++) {
      if (written.includes(i)) expect(held.data[i]).toBe(written.indexOf(i) + 1);
      else expect(bits[i]).toBe(0x7fa00000 + i);
    }
  });

  test("the slots are no part of the problem, and are copied", () => {
    const slots = Int32Array.of(1, 2);
    const call: Call = {
      target: zeros("float16", [1, 2, 8, 4]),
      source: counting([1, 2, 2, 4]),
      slots,
    };
    const problem = scatter.describe(call);
    expect(scatter.describe({ ...call, slots: Int32Array.of(5, -1) })).toBe(problem);
    const bound = scatter.bind(problem, call);
    slots.fill(7);
    expect([...bound.slots]).toEqual([1, 2]);
    expect(() => scatter.bind(problem, call)).toThrow(InvalidInputError);
    expect(scatter.work(bound)).toEqual({ flops: 0, bytes: 4 * 4 * (4 + 2) });
    const stored = {
      ...{ ...call, slots: Int32Array.of(1, -1) },
      ...{ target: zeros("int8", [1, 2, 8, 4]), scales: zeros("float32", [1, 2, 8]) },
    };
    expect(scatter.work(scatter.bind(scatter.describe(stored), stored))).toEqual({
      ...{ flops: 2 * 2 * 4, bytes: 2 * 4 * (4 + 1) + 2 * 4 },
    });
  });

  test.each<[string, string, Readonly<Record<string, unknown>>]>([
    ["target", "of integers", { target: zeros("int32", [2, 2, 4, 3]) }],
    ["target", "of rank 3", { target: zeros("float32", [2, 4, 3]) }],
    [
      "target",
      "whose rows share memory",
      {
        target: tensor(new Float32Array(24), [2, 2, 4, 3], { strides: [12, 6, 0, 1] }),
      },
    ],
    [
      "target",
      "of more entries, not paged",
      {
        target: zeros("float32", [3, 2, 4, 3]),
        paged: false,
      },
    ],
    ["source", "of other heads", { source: counting([2, 1, 2, 3]) }],
    ["source", "of another head size", { source: counting([2, 2, 2, 4]) }],
    ["source", "of int8", { source: zeros("int8", [2, 2, 2, 3]) }],
    ["slots", "too few", { slots: Int32Array.of(1) }],
    ["slots", "of another shape", { slots: zeros("int32", [4, 1]) }],
    ["slots", "of floats", { slots: zeros("float32", [2, 2]) }],
    ["slots", "past the rows", { slots: Int32Array.of(0, 1, 2, 4) }],
    ["slots", "below -1", { slots: Int32Array.of(0, 1, 2, -2) }],
    ["slots", "twice", { slots: Int32Array.of(0, 1, 3, 3) }],
    ["slots", "in a list", { slots: [0, 1, 2, 3] }],
    ["scales", "beside a float target", { scales: zeros("float32", [2, 2, 4]) }],
    ["scales", "missing", { target: zeros("int8", [2, 2, 4, 3]) }],
    [
      "scales",
      "of float64",
      {
        target: zeros("int8", [2, 2, 4, 3]),
        scales: zeros("float64", [2, 2, 4]),
      },
    ],
    [
      "scales",
      "of another shape",
      {
        target: zeros("int8", [2, 2, 4, 3]),
        scales: zeros("float32", [2, 4, 2]),
      },
    ],
    ["paged", "no boolean", { paged: 1 }],
    ["inputs.slot", "misspelt", { slot: Int32Array.of(1) }],
  ])("%s %s is refused", (argument, _, change) => {
    const call = {
      target: zeros("float32", [2, 2, 4, 3]),
      source: counting([2, 2, 2, 3]),
      slots: Int32Array.of(0, 1, 2, 3),
    };
    expect(scatter.describe(call)).toMatchObject({ paged: false, entries: 2, rows: 4, count: 2 });
    expect(refusal({ ...call, ...change }).argument).toBe(argument);
  });

  test("source and target in one buffer must lie apart", () => {
    const data = counting([1, 1, 8, 2]);
    const slots = Int32Array.of(0, 1);
    const target = slice(data, 2, 0, 4);
    expect(refusal({ target, source: slice(data, 2, 3, 5), slots }).argument).toBe("source");
    expect(scatter.describe({ target, source: slice(data, 2, 4, 6), slots }).count).toBe(2);
  });

  test("also in a backend's memory, as far as views of one piece are known to be", () => {
    const storage = () => ({ backend: "gpu", read: async () => counting([1]), release: () => {} });
    const held = (dtype: "float32" | "float16" = "float32", piece = storage()) =>
      deviceTensor(piece, { dtype, shape: [1, 1, 8, 2] });
    const slots = Int32Array.of(0, 1);
    const data = held();
    const target = slice(data, 2, 0, 4);
    const refused = (source: Tensor) => refusal({ target, source, slots }).argument;
    expect(refused(slice(data, 2, 3, 5))).toBe("source");
    expect(refused(slice(data, 2, 0, 2))).toBe("source");
    const halves = held("float16", storage());
    const apart = [
      slice(data, 2, 4, 6),
      slice(held(), 2, 0, 2),
      slice(halves, 2, 0, 2),
      counting([1, 1, 2, 2]),
    ];
    for (const source of apart) expect(scatter.describe({ target, source, slots }).count).toBe(2);
    // A view of the same element types, but of none of the elements.
    const none = { target: slice(data, 2, 2, 2), source: slice(data, 2, 2, 2) };
    expect(scatter.describe({ ...none, slots: new Int32Array(0) }).count).toBe(0);
    expect(refusal({ target: counting([1, 1, 8, 2]), source: data, slots }).argument).toBe(
      "source",
    );
  });

  test("a backend that returns another target breaks its promise", async () => {
    const provider = defineBackend<null>({
      name: "forgetful",
      load: () => null,
      info: () => ({ runtime: "JavaScript", device: "CPU", features: [], threads: 1 }),
      operations: {
        scatter: implement(scatter, {
          plan: () => ({
            description: { kernel: "scatter-none", tiles: {}, workspaceBytes: 0, dispatches: 1 },
            run: () => ({ target: zeros("float32", [1, 1, 2, 2]) }),
          }),
        }),
      },
    });
    const attention = await createAttention({ backends: [provider as never], selfTest: false });
    const call = {
      target: zeros("float32", [1, 1, 2, 2]),
      source: counting([1, 1, 1, 2]),
      slots: Int32Array.of(0),
    };
    await expect(attention.apply(scatter, call)).rejects.toThrow(/for target/);
    await attention.dispose();
  });
});
