import { js } from "@heed/backend-js";
import { Random } from "@heed/conformance";
import {
  type Attention,
  type AttentionInputs,
  cast,
  createAttention,
  type FloatDType,
  fromFloat64,
  type HostTensor,
  referenceAttention,
  tensor,
  toFloat64,
} from "@heed/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

/**
 * NaN and infinities against the reference, on sizes that meet both kernels, whole and partial tiles and
 * panels. Equal means: NaN where the reference has NaN, the same infinity, and close numbers elsewhere.
 */
let attention: Attention;
beforeAll(async () => {
  attention = await createAttention({ backends: [js()] });
});
afterAll(() => attention.dispose());

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
const names = ["output", "logSumExp", "weights"] as const;

async function expectAsReference(call: AttentionInputs<HostTensor>): Promise<void> {
  const inputs = { ...call, returns: { logSumExp: true, weights: true } };
  const got = await attention.run(inputs);
  const want = referenceAttention(inputs);
  for (const name of names) {
    const expected = toFloat64(want[name] as HostTensor);
    const values = toFloat64(got[name] as HostTensor);
    const wrong: string[] = [];
    expected.forEach((x, at) => {
      const value = values[at] as number;
      const same = Object.is(x, value) || Math.abs(x - value) <= 5e-3 * Math.max(1, Math.abs(x));
      if (!same) wrong.push(`${name}[${at}]: expected ${x}, got ${value}`);
    });
    expect(wrong).toEqual([]);
  }
}

interface Shape {
  readonly rows: number;
  readonly keys: number;
  readonly dtype: FloatDType;
}

const shapes: readonly Shape[] = [
  { rows: 3, keys: 7, dtype: "float32" },
  { rows: 5, keys: 140, dtype: "float16" },
  { rows: 40, keys: 140, dtype: "float32" },
  { rows: 20, keys: 70, dtype: "float64" },
];

function callOf({ rows, keys, dtype }: Shape): AttentionInputs<HostTensor> {
  const random = new Random(11);
  return {
    query: random.tensor([1, 1, rows, 5], dtype),
    key: random.tensor([1, 1, keys, 5], dtype),
    value: random.tensor([1, 1, keys, 6], dtype),
  };
}

/** The tensor with one element per row given replaced. */
function spoil(t: HostTensor, rows: readonly number[], x: number): HostTensor {
  const values = toFloat64(t);
  const size = t.shape[3] as number;
  for (const row of rows) values[row * size + (row % size)] = x;
  return cast(fromFloat64(values, t.shape, "float64"), t.dtype);
}

describe.each(shapes)("$rows rows, $keys keys, $dtype", (shape) => {
  const { rows, keys, dtype } = shape;
  const call = callOf(shape);
  const { query, key, value } = call;
  const hidden = [0, 3, keys - 1];
  const mask = tensor(
    Array.from({ length: keys }, (_, j) => !hidden.includes(j)),
    [keys],
  );
  const bias = (x: number): HostTensor =>
    fromFloat64(
      Float64Array.from({ length: keys }, (_, j) => (hidden.includes(j) ? x : 0.25)),
      [keys],
      dtype,
    );

  test.each([nan, inf, -inf])("%s that rows see", async (x) => {
    await expectAsReference({ ...call, query: spoil(query, [0, rows - 1], x) });
    await expectAsReference({ ...call, key: spoil(key, hidden, x) });
    await expectAsReference({ ...call, value: spoil(value, hidden, x) });
    await expectAsReference({ ...call, bias: bias(x) });
    await expectAsReference({ ...call, key: spoil(key, hidden, x), sinks: [1] });
    await expectAsReference({
      ...call,
      key: spoil(key, [keys - 1], x),
      causal: true,
      queryOffset: "bottom-right",
    });
  });

  test.each([nan, inf, -inf])("%s that no row sees", async (x) => {
    for (const rule of [{ mask }, { bias: bias(-inf) }]) {
      await expectAsReference({ ...call, ...rule, key: spoil(key, hidden, x) });
      await expectAsReference({ ...call, ...rule, value: spoil(value, hidden, x) });
    }
    const last = { key: spoil(key, [keys - 1], x), value: spoil(value, [keys - 1], x) };
    await expectAsReference({ ...call, ...last, kvLengths: [keys - 1] });
    await expectAsReference({ ...call, ...last, window: { right: 0 }, queryOffset: 0 });
  });

  test("values of keys that a product of −∞ hides", async () => {
    const positive = fromFloat64(new Float64Array(rows * 5).fill(1), query.shape, dtype);
    await expectAsReference({
      ...call,
      query: positive,
      key: spoil(key, hidden, -inf),
      value: spoil(value, hidden, nan),
    });
  });

  test("a row of nothing but NaN, and one of nothing but −∞", async () => {
    await expectAsReference({ ...call, bias: fromFloat64([nan], [1], dtype) });
    await expectAsReference({ ...call, bias: fromFloat64([-inf], [1], dtype) });
    await expectAsReference({ ...call, bias: fromFloat64([inf], [1], dtype), sinks: [0] });
  });

  test("a visible NaN whose weight underflows stays NaN, also in a tile with hidden keys", async () => {
    const far = Float64Array.from({ length: keys }, (_, j) => (j === 1 ? -1e4 : 0));
    const away = fromFloat64(far, [keys], dtype);
    await expectAsReference({ ...call, bias: away, value: spoil(value, [1], nan) });
    await expectAsReference({ ...call, bias: away, mask, value: spoil(value, [1], nan) });
  });
});

describe("parameters at the edge of float32", () => {
  const f32 = (...values: number[]) => tensor(values, [1, 1, values.length, 1]);
  const run = async (changes: Partial<AttentionInputs<HostTensor>>) => {
    const { output } = await attention.run({
      query: f32(1),
      key: f32(0, 0),
      value: f32(10, 20),
      ...changes,
    });
    return toFloat64(output)[0];
  };

  test("finite inputs give what finite arithmetic gives", async () => {
    expect(await run({ sinks: [3e38] })).toBe(0);
    expect(await run({ sinks: [-3e38] })).toBe(15);
    expect(await run({ bias: tensor([3e38, 0], [2]) })).toBe(10);
    expect(await run({ bias: tensor([-3e38, 0], [2]) })).toBe(20);
    expect(await run({ scale: 3e38, query: f32(0) })).toBe(15);
    expect(await run({ scale: 3e38, key: f32(1, 0) })).toBe(10);
    expect(await run({ softcap: 3e38 })).toBe(15);
    expect(await run({ alibiSlopes: [3e38], queryOffset: 0 })).toBe(10);
  });

  test("products past float32 are exact, since the arithmetic is float64", async () => {
    expect(await run({ query: f32(1e20), key: f32(1e20, 0), scale: 1e-38 })).toBe(10);
  });
});
