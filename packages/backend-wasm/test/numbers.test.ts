import {
  type AttentionInputs,
  describeProblem,
  type HostTensor,
  tensor,
  toFloat64,
} from "@heed/core";
import { describe, expect, test } from "vitest";
import { loadWasm } from "../src/load.js";
import { backendOver, loadThreads } from "./backends.js";

type Call = AttentionInputs<HostTensor>;

/** One head; rows of `size` numbers. */
const matrix = (data: number[] | Float32Array, size = 1): HostTensor =>
  tensor(Float32Array.from(data), [1, 1, data.length / size, size]);
const perKey = (data: number[]) => tensor(Float32Array.from(data), [data.length]);
const mask = (data: boolean[]) => tensor(data, [data.length]);

/** Each way through the kernels: how many copies of the query row there are, and how keys are split. */
const best = await loadWasm({ threads: 1 });
const baseline = await loadWasm({ threads: 1, simd: "baseline" });
const split = await backendOver(await loadThreads({ threads: 2 }), {
  sharedWork: 0,
  leastSplitKeys: 1,
});
const whole = await backendOver(best);
const wholeBaseline = await backendOver(baseline);
const ways: [string, typeof split, number, AttentionInputs["returns"]][] = [
  ["one row", whole, 1, { logSumExp: true }],
  ["three rows", whole, 3, { logSumExp: true }],
  ["nine rows", whole, 9, { logSumExp: true }],
  ["nine rows and weights", whole, 9, { logSumExp: true, weights: true }],
  ["one row, baseline SIMD", wholeBaseline, 1, { logSumExp: true }],
  ["nine rows, baseline SIMD", wholeBaseline, 9, { logSumExp: true }],
  ["one row, keys split", split, 1, { logSumExp: true }],
  ["nine rows, keys split", split, 9, { logSumExp: true }],
];

interface Row {
  readonly output: number[];
  readonly logSumExp: number;
  readonly weights: number[] | null;
}

describe.each(ways)("%s", (_, backend, rows, returns) => {
  /** The one row that all rows of the result have to be equal to. */
  async function rowOf(query: number[], call: Omit<Call, "query">): Promise<Row> {
    const asked = {
      ...call,
      query: matrix(Array.from({ length: rows }, () => query).flat(), query.length),
      returns,
    };
    const result = await (await backend.plan(describeProblem(asked))).run(asked);
    const all = (t: HostTensor) => {
      const values = [...toFloat64(t)];
      const size = values.length / rows;
      const first = values.slice(0, size);
      for (let r = 1; r < rows; r++) {
        expect(values.slice(r * size, (r + 1) * size)).toEqual(first);
      }
      return first;
    };
    return {
      output: all(result.output as HostTensor),
      logSumExp: all(result.logSumExp as HostTensor)[0] as number,
      weights: result.weights ? all(result.weights as HostTensor) : null,
    };
  }

  const key = matrix([0, 0]);
  const value = matrix([10, 20]);
  const infinity = Number.POSITIVE_INFINITY;

  test.each<[string, number[], Omit<Call, "query">]>([
    ["a query of NaN", [Number.NaN], { key, value }],
    ["a query of NaN and a sink", [Number.NaN], { key, value, sinks: [1] }],
    ["a key of NaN", [1], { key: matrix([0, Number.NaN]), value }],
    ["a bias of NaN", [1], { key, value, bias: perKey([Number.NaN, 0]) }],
    ["a bias of +∞", [1], { key, value, bias: perKey([0, infinity]) }],
    ["a product of +∞", [infinity], { key: matrix([1, 0.5]), value }],
    ["a product of +∞ and a cap of NaN", [Number.NaN], { key, value, softcap: 5 }],
    ["a product that overflows", [1e20], { key: matrix([1e20, 0]), value }],
    [
      "NaN beside a masked key",
      [1],
      { key: matrix([0, Number.NaN]), value, mask: mask([false, true]) },
    ],
  ])("%s: the row is NaN", async (_, query, call) => {
    const row = await rowOf(query, call);
    expect(row.output).toEqual([Number.NaN]);
    expect(row.logSumExp).toBeNaN();
    for (const [j, weight] of (row.weights ?? []).entries()) {
      if (call.mask && !call.mask.data[j]) expect(weight).toBe(0);
      else expect(weight).toBeNaN();
    }
  });

  test("NaN of any payload is NaN", async () => {
    for (const bits of [0x7fc00001, 0xffffffff, 0x7fffffff]) {
      const query = new Float32Array(Uint32Array.of(bits).buffer);
      const inputs = { query: matrix(query), key: matrix([1, 1]), value, returns };
      const result = await (await backend.plan(describeProblem(inputs))).run(inputs);
      expect([...toFloat64(result.output as HostTensor)]).toEqual([Number.NaN]);
    }
  });

  test("NaN far down a cache reaches the row's result", async () => {
    const keys = new Float32Array(1000);
    keys[997] = Number.NaN;
    const { output } = await rowOf([1], {
      key: matrix(keys),
      value: matrix(new Float32Array(1000)),
    });
    expect(output).toEqual([Number.NaN]);
  });

  test.each<[string, Omit<Call, "query">]>([
    ["a masked key", { key: matrix([0, Number.NaN]), value, mask: mask([true, false]) }],
    ["a masked value", { key, value: matrix([10, Number.NaN]), mask: mask([true, false]) }],
    ["a biased key", { key: matrix([0, Number.NaN]), value, bias: perKey([0, -infinity]) }],
    ["a biased key of ∞", { key: matrix([0, infinity]), value, bias: perKey([0, -infinity]) }],
    ["a biased value", { key, value: matrix([10, Number.NaN]), bias: perKey([0, -infinity]) }],
    ["a key past the length", { key: matrix([0, Number.NaN]), value, kvLengths: [1] }],
  ])("what %s holds does not leak", async (_, call) => {
    const row = await rowOf([1], call);
    expect(row.output).toEqual([10]);
    expect(row.weights ?? [1, 0]).toEqual([1, 0]);
  });

  test("a key that a bias hides stays hidden where ALiBi would lift it to +∞", async () => {
    // Each row would be at a position of its own.
    if (rows > 1) return;
    const bias = perKey([0, -infinity, -infinity]);
    const values = matrix([10, 20, 30]);
    const alibi = { alibiSlopes: [-3e38], queryOffset: 0 };
    const row = await rowOf([1], { key: matrix([0, 0, 0]), value: values, bias, ...alibi });
    expect(row.output).toEqual([10]);
  });

  test("NaN in any column of a hidden value does not leak", async () => {
    for (let size = 1; size <= 9; size++) {
      for (let column = 0; column < size; column++) {
        const values = new Float32Array(2 * size).fill(10);
        values[size + column] = Number.NaN;
        const call = { key, value: matrix(values, size), mask: mask([true, false]) };
        const { output } = await rowOf([1], call);
        expect(output, `column ${column} of ${size}`).toEqual(Array(size).fill(10));
      }
    }
  });

  test.each<[string, number[], Omit<Call, "query">, number, number]>([
    ["a sink of 3e38", [1], { key, value, sinks: [3e38] }, 0, 3e38],
    ["a sink of -3e38", [1], { key, value, sinks: [-3e38] }, 15, Math.LN2],
    [
      "a sink of 3e38 over a bias of it",
      [1],
      { key, value, sinks: [3e38], bias: perKey([3e38, 0]) },
      5,
      3e38,
    ],
    ["a bias of 3e38", [1], { key, value, bias: perKey([3e38, 0]) }, 10, 3e38],
    ["a bias of -3e38", [1], { key, value, bias: perKey([-3e38, 0]) }, 20, 0],
    ["biases of -3e38", [1], { key, value, bias: perKey([-3e38, -3e38]) }, 15, -3e38],
    ["a scale of 3e38, products of 0", [0], { key, value, scale: 3e38 }, 15, Math.LN2],
    ["a scale of -3e38, products of 0", [0], { key, value, scale: -3e38 }, 15, Math.LN2],
    ["a scale of 3e38", [1], { key: matrix([1, 0.5]), value, scale: 3e38 }, 10, 3e38],
    ["a scale of 0", [5], { key: matrix([1e38, -1e38]), value, scale: 0 }, 15, Math.LN2],
    ["a scale of 1e-38", [1e20], { key: matrix([1e20, 0]), value, scale: 1e-38 }, 10, 100],
    [
      "a scale of 1e-38 and products below",
      [-1e20],
      { key: matrix([1e20, 1e20]), value, scale: 1e-38 },
      15,
      -100 + Math.LN2,
    ],
    [
      "a scale of 1e-38 and a cap",
      [1e20],
      { key: matrix([1e20, 0]), value, scale: 1e-38, softcap: 1e4 },
      10,
      100 * (1 - 1e-4 / 3),
    ],
    ["a scale of 1e-44", [1e38], { key: matrix([1e38, -1e38]), value, scale: 1e-44 }, 10, 1e32],
    ["a cap of 3e38", [1], { key, value, softcap: 3e38 }, 15, Math.LN2],
    [
      "slopes of 3e38",
      [1],
      { key, value, alibiSlopes: [3e38], queryOffset: 0, kvLengths: [2] },
      10,
      0,
    ],
  ])("%s gives what finite arithmetic gives", async (_, query, call, output, logSumExp) => {
    // ALiBi's rows would be at positions of their own.
    if (call.alibiSlopes && rows > 1) return;
    const row = await rowOf(query, call);
    expect(row.output[0]).toBeCloseTo(output, 5);
    expect(Math.abs(row.logSumExp - logSumExp)).toBeLessThanOrEqual(1e-6 * Math.abs(logSumExp));
  });

  test.each<[string, number, Omit<Call, "query" | "key" | "value">]>([
    ["2 keys", 2, {}],
    ["7 keys", 7, {}],
    ["300 keys", 300, {}],
    ["2000 keys", 2000, {}],
    ["a sink", 2, { sinks: [Math.log(2)] }],
    ["a cap", 50, { softcap: 5 }],
  ])("values near the end of float32 do not overflow: %s", async (_, keys, rules) => {
    // Beside them, in every row: values that do not overflow, and ones whose sums would cancel.
    const columns = [3e38, 1, -3e38, 0, 3.2e38];
    const values = Array.from({ length: keys }, () => columns).flat();
    const shared = rules.sinks ? 2 : 1;
    const { output, logSumExp } = await rowOf([0], {
      key: matrix(new Float32Array(keys)),
      value: matrix(values, columns.length),
      ...rules,
    });
    for (const [c, expected] of columns.entries()) {
      const allowed = 1e-5 * Math.abs(expected);
      expect(Math.abs((output[c] as number) - expected / shared)).toBeLessThanOrEqual(allowed);
    }
    expect(logSumExp).toBeCloseTo(Math.log(keys * shared), 5);
  });

  test("values near the end of float32 whose sums overflow and cancel have a mean", async () => {
    const value = matrix([3e38, 3e38, -3e38, -3e38]);
    const { output } = await rowOf([0], { key: matrix([0, 0, 0, 0]), value });
    expect(Math.abs(output[0] as number)).toBeLessThan(1e32);
  });

  test.each([3, 100, 1000, 1001])(
    "the mean of %i largest float32 is not beyond it",
    async (keys) => {
      const largest = -(2 - 2 ** -23) * 2 ** 127;
      const pairs = Array.from({ length: keys }, () => [largest, -largest]).flat();
      for (const spread of [0, 3]) {
        const scores = Float32Array.from(
          { length: keys },
          (_, j) => spread * Math.sin(12.9898 * j),
        );
        const call = { key: matrix(scores), value: matrix(pairs, 2), scale: 1 };
        const { output } = await rowOf([1], call);
        expect((output[0] as number) / largest).toBeCloseTo(1, 4);
        expect((output[1] as number) / largest).toBeCloseTo(-1, 4);
      }
    },
  );

  test("values that are infinite stay so, whichever rule hides others", async () => {
    const value = matrix([infinity, 3e38, 3e38]);
    const hides = mask([true, true, false]);
    const { output } = await rowOf([0], { key: matrix([0, 0, 0]), value, mask: hides });
    expect(output).toEqual([infinity]);
  });

  test.each([32_768, 131_072, 2 ** 20])(
    "the mean of %i equal values is that value",
    async (keys) => {
      const scores = new Float32Array(keys);
      scores[5] = 1;
      const ones = matrix(new Float32Array(keys).fill(1));
      if (returns?.weights && keys > 32_768) return;
      const { output } = await rowOf([1], { key: matrix(scores), value: ones, scale: 1 });
      expect(Math.abs((output[0] as number) - 1)).toBeLessThan(1e-6);
    },
  );
});
