/** Hidden NaN and infinities have no influence; visible ones make exactly the rows that see them NaN or infinite. */
import { onnx } from "@heed/backend-onnx";
import {
  type AttentionBackend,
  type AttentionInputs,
  describeProblem,
  float16BitsToNumber,
  type HostTensor,
  numberToFloat16Bits,
  tensor,
  toFloat64,
} from "@heed/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { boundsOf } from "../src/attention/bounds.js";
import { finiteRuns, guardFor } from "../src/attention/hidden-values.js";

type Call = AttentionInputs<HostTensor>;

const { NaN: nan, POSITIVE_INFINITY: inf, NEGATIVE_INFINITY: minusInf } = Number;

/** `[1, 1, length, 1]`. */
const column = (...values: number[]): HostTensor =>
  tensor(Float32Array.from(values), [1, 1, values.length, 1]);
const bools = (...values: boolean[]): HostTensor => tensor(values, [values.length]);
const bias = (...values: number[]): HostTensor => tensor(values, [values.length]);

const simple: Call = { query: column(1), key: column(0, 0), value: column(10, 20) };
const hidesSecond: readonly [string, Partial<Call>][] = [
  ["a mask", { mask: bools(true, false) }],
  ["a bias of −∞", { bias: bias(0, minusInf) }],
  ["causal", { causal: true, queryOffset: 0 }],
  ["kvLengths", { kvLengths: [1] }],
  ["a window", { window: { right: 0 }, queryOffset: 0 }],
];
const outputs: readonly [string, Partial<Call>][] = [
  ["output alone", {}],
  ["all outputs", { returns: { logSumExp: true, weights: true } }],
  ["a softcap", { softcap: 5 }],
  ["a sink", { sinks: [minusInf] }],
];

describe.each(["cpu", "wasm"] as const)("%s", (provider) => {
  let backend: AttentionBackend;
  beforeAll(async () => {
    backend = await onnx({ provider, threads: 1 }).load();
  });
  afterAll(() => backend.dispose());

  async function run(inputs: Call): Promise<Record<string, number[]>> {
    const plan = await backend.plan(describeProblem(inputs));
    const results = Object.entries(await plan.run(inputs));
    plan.dispose();
    return Object.fromEntries(
      results.map(([name, t]) => [name, Array.from(toFloat64(t as HostTensor))]),
    );
  }

  test.each(
    hidesSecond.flatMap(([rule, rules]) =>
      outputs.map(([name, more]) => [rule, name, { ...rules, ...more }] as const),
    ),
  )("what %s hides has no influence, with %s", async (_, __, rules) => {
    for (const bad of [nan, inf, minusInf]) {
      const spoiled: Partial<Call>[] = [{ value: column(10, bad) }, { key: column(0, bad) }];
      if (rules.mask) spoiled.push({ bias: bias(0, bad) });
      for (const part of spoiled) {
        const { output, logSumExp, weights } = await run({ ...simple, ...rules, ...part });
        expect(output).toEqual([10]);
        if (rules.returns) expect([logSumExp, weights]).toEqual([[0], [1, 0]]);
      }
    }
  });

  test("a key whose product is −∞ is hidden, with its value", async () => {
    const { output } = await run({ ...simple, key: column(0, minusInf), value: column(10, nan) });
    expect(output).toEqual([10]);
    const returns = { logSumExp: true, weights: true };
    for (const more of [{}, { returns }]) {
      const empty = await run({ ...simple, ...more, key: column(minusInf, minusInf) });
      expect(empty.output).toEqual([0]);
      if ("returns" in more) expect([empty.logSumExp, empty.weights]).toEqual([[minusInf], [0, 0]]);
    }
  });

  test("a row that sees no key is 0 whatever the query holds", async () => {
    const rules = { mask: bools(false, false), returns: { logSumExp: true } };
    const { output, logSumExp } = await run({ ...simple, ...rules, query: column(nan) });
    expect([output, logSumExp]).toEqual([[0], [minusInf]]);
  });

  test.each<[string, Partial<Call>]>([
    ["a query of NaN", { query: column(nan) }],
    ["a first key of NaN", { key: column(nan, 0) }],
    ["a last key of NaN", { key: column(0, nan) }],
    ["a key of +∞", { key: column(0, inf) }],
    ["a bias of +∞", { bias: bias(0, inf) }],
    ["a bias of NaN", { bias: bias(nan, 0) }],
    ["a bias of NaN beside hidden keys", { bias: bias(nan, minusInf) }],
    ["a key of NaN beside masked keys", { key: column(nan, 0), mask: bools(true, false) }],
  ])("%s makes the row NaN", async (_, part) => {
    for (const [, more] of outputs) {
      if (more.softcap && part.key?.data[1] === inf) continue;
      const { output, logSumExp, weights } = await run({ ...simple, ...more, ...part });
      expect(output).toEqual([nan]);
      if (!more.returns) continue;
      expect(logSumExp).toEqual([nan]);
      const hidden = part.mask || part.bias?.data[1] === minusInf;
      expect(weights).toEqual([nan, hidden ? 0 : nan]);
    }
  });

  test("a query of NaN makes its own row NaN, at any number of keys", async () => {
    for (let length = 1; length <= 40; length++) {
      const key = tensor(Float32Array.from({ length }, Math.sin), [1, 1, length, 1]);
      for (const at of new Set([0, length >> 1, length - 1])) {
        const spoiled = tensor(Float32Array.from(key.data as Float32Array), [1, 1, length, 1]);
        (spoiled.data as Float32Array)[at] = nan;
        for (const more of [{}, { returns: { weights: true } }, { sinks: [0.5] }]) {
          const { output } = await run({ query: column(1), key: spoiled, value: key, ...more });
          expect(output).toEqual([nan]);
        }
      }
    }
  });

  test("a product of +∞ that one row alone hides is noticed", async () => {
    // Row 1 alone has +∞ for the hidden key 3; the rows about it have −∞.
    const { output } = await run({
      query: column(-1, 1, -1, -1, -1),
      key: column(0, 0, 0, inf, 0),
      value: column(1, 3, 5, 7, 9),
      causal: true,
    });
    expect(output[1]).toBeCloseTo(2, 5);
    expect(output.slice(3)).toEqual([3, 4.5]);
  });

  test("a value that is not finite is noticed though the first rows are empty", async () => {
    const value = tensor([1, 2, 3, nan, 5, 6], [1, 1, 3, 2]);
    const mask = tensor([false, false, false, true, false, true, true, false, false], [3, 3]);
    const { output } = await run({
      query: column(1, 1, 1),
      key: column(0, 0, 0),
      value,
      mask,
    });
    expect(output).toEqual([0, 0, 3, 4, 1, 2]);
  });

  test("a hidden value that is not finite is noticed where first columns are 0", async () => {
    const value = tensor([0, 2, 0, nan], [1, 1, 2, 2]);
    const { output } = await run({ ...simple, value, mask: bools(true, false) });
    expect(output).toEqual([0, 2]);
  });

  test("heads that share keys see hidden values apart", async () => {
    const mask = tensor([true, false, false, true], [1, 2, 1, 2]);
    const { output } = await run({
      query: tensor([1, 1], [1, 2, 1, 1]),
      key: column(0, 0),
      value: column(nan, 7),
      mask,
    });
    expect(output).toEqual([nan, 7]);
  });

  test("infinite values reach rows that see them, also where the weight is 0 after rounding", async () => {
    const { output } = await run({
      query: column(1, 1),
      key: column(0, -200),
      value: column(3, inf),
      mask: tensor([true, false, true, true], [2, 2]),
    });
    expect(output).toEqual([3, inf]);
  });

  test("float16 values of ∞ stay hidden", async () => {
    const half = (t: HostTensor): HostTensor =>
      tensor(Uint16Array.from(t.data as Float32Array, numberToFloat16Bits), t.shape, {
        dtype: "float16",
      });
    const [query, key] = [half(simple.query), half(simple.key)];
    for (const bad of [inf, minusInf, nan]) {
      const value = half(column(10, bad));
      const hidden = await run({ query, key, value, mask: bools(true, false) });
      expect(hidden.output).toEqual([10]);
      const seen = await run({ query, key, value });
      expect(seen.output).toEqual([bad]);
    }
  });

  test("lengths and offsets of each batch entry are those of the call", async () => {
    const batches = (...values: number[]): HostTensor =>
      tensor(Float32Array.from(values), [2, 1, values.length / 2, 1]);
    const inputs = {
      query: batches(1, 1),
      key: batches(0, 0, 0, 0, 0, 0),
      value: batches(1, 2, 3, 1, 2, 3),
    };
    const lengths = await backend.plan(describeProblem({ ...inputs, kvLengths: [3, 3] }));
    const offsets = await backend.plan(
      describeProblem({ ...inputs, causal: true, queryOffset: [2, 2] }),
    );
    const output = async (plan: typeof lengths, rules: Partial<Call>) =>
      Array.from(((await plan.run({ ...inputs, ...rules })).output as HostTensor).data, (x) =>
        Number(Number(x).toFixed(4)),
      );
    for (const second of [3, 1, 2]) {
      expect(await output(lengths, { kvLengths: [3, second] })).toEqual([2, (second + 1) / 2]);
      const rules = { causal: true, queryOffset: [2, second - 1] };
      expect(await output(offsets, rules)).toEqual([2, (second + 1) / 2]);
    }
  });
});

test("what is finite, by dtype", () => {
  const cases: readonly [number, boolean][] = [
    [0, true],
    [-0, true],
    [65504, true],
    [-65504, true],
    [6e-8, true],
    [inf, false],
    [minusInf, false],
    [nan, false],
  ];
  for (const dtype of ["float16", "float32", "float64"] as const) {
    for (const [x, expected] of cases) {
      for (let length = 1; length <= 6; length++) {
        for (let at = 0; at < length; at++) {
          const values = new Array<number>(length).fill(1);
          values[at] = x;
          const data =
            dtype === "float16"
              ? Uint16Array.from(values, numberToFloat16Bits)
              : dtype === "float32"
                ? Float32Array.from(values)
                : Float64Array.from(values);
          expect(finiteRuns({ data, dtype })(0, length, 1)).toBe(expected);
        }
      }
    }
  }
  expect(float16BitsToNumber(0x7c00)).toBe(inf);
});

test("guards are chosen by what is hidden, from whom, and whether it is finite", () => {
  const guard = (values: readonly number[], rules: Partial<Call>, dtype: "float32" | "float16") => {
    const data =
      dtype === "float16"
        ? Uint16Array.from(values, numberToFloat16Bits)
        : Float32Array.from(values);
    const value = tensor(data, [1, 1, 3, 1], { dtype });
    const query = tensor(data.slice(), [1, 1, 3, 1], { dtype });
    const problem = describeProblem({ query, key: query, value, ...rules });
    const kvLengths = Int32Array.from((rules.kvLengths as number[] | undefined) ?? [3]);
    return guardFor(value, boundsOf(problem, { offsets: Int32Array.of(0), kvLengths }), problem);
  };
  for (const dtype of ["float32", "float16"] as const) {
    for (const bad of [nan, inf, minusInf]) {
      expect(guard([1, 1, bad], { causal: true }, dtype)).toBe("elements");
      expect(guard([bad, 1, 1], { causal: true }, dtype)).toBe("none");
      expect(guard([1, 1, bad], { kvLengths: [2] }, dtype)).toBe("rows");
      expect(guard([1, 1, bad], { mask: bools(true, true, false) }, dtype)).toBe("elements");
      expect(guard([1, 1, bad], { bias: bias(0, 0, 0) }, dtype)).toBe("elements");
      expect(guard([1, 1, bad], {}, dtype)).toBe("none");
    }
    expect(guard([1, 1, 65504], { causal: true }, dtype)).toBe("none");
    expect(guard([1, 1, 1], { mask: bools(true, true, false) }, dtype)).toBe("none");
  }
});
