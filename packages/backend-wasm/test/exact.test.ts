import {
  type AttentionInputs,
  describeProblem,
  type HostTensor,
  tensor,
  toFloat64,
} from "@heed/core";
import { and, greaterEqual, less, maskMod, notEqual, remainder } from "@heed/core/program";
import { describe, expect, test } from "vitest";
import { loadWasm } from "../src/load.js";
import { backendOver, loadThreads } from "./backends.js";

// Results that are known to the last bit, or that have to have the same bits as others.

type Call = AttentionInputs<HostTensor>;

const limits = { sharedWork: 0, leastSplitKeys: 1 };
const backends = {
  "the best build": await backendOver(await loadWasm({ threads: 1 })),
  "baseline SIMD": await backendOver(await loadWasm({ threads: 1, simd: "baseline" })),
  "spread tiles": await backendOver(await loadWasm({ threads: 1, variant: "spread" })),
  "keys split": await backendOver(await loadThreads({ threads: 2 }), limits),
};

const matrix = (rows: number, size: number, at: (row: number, column: number) => number) =>
  tensor(
    Float32Array.from({ length: rows * size }, (_, i) => at(Math.floor(i / size), i % size)),
    [1, 1, rows, size],
  );

describe.each(Object.entries(backends))("%s", (_, backend) => {
  async function run(call: Call): Promise<Float64Array> {
    const plan = await backend.plan(describeProblem(call));
    const { output } = await plan.run(call);
    plan.dispose();
    return toFloat64(output as HostTensor);
  }

  const rowCounts = [1, 3, 4, 5, 9, 16, 28] as const;

  test.each(rowCounts)("any key may have all of the weight: %i rows", async (rows) => {
    for (const keys of [1, 2, 3, 4, 5, 6, 7, 9, 12, 13]) {
      for (let winner = 0; winner < keys; winner++) {
        // Scores are below 0, and so far apart that e to their difference is beyond float32.
        const call = {
          query: matrix(rows, 4, () => 1),
          key: matrix(keys, 4, (j) => (j === winner ? -200 : -500)),
          value: matrix(keys, 5, (j, c) => 10 * j + c),
          scale: 1,
        };
        const expected = Array.from({ length: rows }, () => [0, 1, 2, 3, 4]).flat();
        const name = `key ${winner} of ${keys}`;
        expect([...(await run(call))], name).toEqual(expected.map((c) => 10 * winner + c));
        const biased = { ...call, bias: matrix(1, keys, () => -1) };
        expect([...(await run(biased))], `${name}, a bias`).toEqual([...(await run(call))]);
      }
    }
  });

  test.each(rowCounts)("values of 0 have a mean of 0: %i rows", async (rows) => {
    // Every number of columns that a group of them may have, and several groups.
    for (const columns of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 17, 24, 31]) {
      for (const keys of [1, 7, 40]) {
        const call = {
          query: matrix(rows, 4, (i, c) => i + c),
          key: matrix(keys, 4, (j) => (j === 0 ? 9 : -9)),
          value: matrix(keys, columns, () => 0),
        };
        expect(new Set(await run(call)), `${columns} columns`).toEqual(new Set([0]));
      }
    }
  });

  test.each(rowCounts)("keys that score 0 have the same weight: %i rows", async (rows) => {
    for (const keys of [1, 2, 3, 4, 5, 6, 7, 9, 11, 12, 13, 16, 17, 23, 40]) {
      // A score that were the least number above 0 would weigh e to 1.4e-7 as much.
      const call = {
        query: matrix(rows, 4, () => 0),
        key: matrix(keys, 4, (j, c) => j - c),
        // A column for the weight of each key.
        value: matrix(keys, keys, (j, c) => (j === c ? 1 : 0)),
        scale: 1e38,
      };
      expect(new Set(await run(call)).size, `${keys} keys`).toBe(1);
    }
  });

  test.each(rowCounts)(
    "rows that see no key are 0, whatever was in memory: %i rows",
    async (rows) => {
      const call = {
        query: matrix(rows, 4, () => 1),
        key: matrix(30, 4, () => 1),
        value: matrix(30, 9, () => Number.NaN),
      };
      const none = { kvLengths: [0] };
      for (const rules of [none, { ...none, mask: tensor([true], [1]) }]) {
        // More than one call: their workspaces need not lie at one place.
        for (let n = 0; n < 3; n++) expect(new Set(await run(call))).toEqual(new Set([Number.NaN]));
        expect(new Set(await run({ ...call, ...rules }))).toEqual(new Set([0]));
      }
    },
  );

  test.each(rowCounts)(
    "sums of large values overflow beside keys that do not count: %i rows",
    async (rows) => {
      for (const keys of [2, 5, 60]) {
        const call = {
          query: matrix(rows, 4, () => 0),
          key: matrix(keys + 1, 4, () => 0),
          value: matrix(keys + 1, 4, (j) => (j === keys ? Number.NaN : 3e38)),
          kvLengths: [keys],
        };
        for (const x of await run(call)) expect(Math.abs(x / 3e38 - 1)).toBeLessThan(1e-5);
      }
    },
  );

  test.each(rowCounts)(
    "sums of large values overflow beside keys that a program hides: %i rows",
    async (rows) => {
      const keys = 90;
      for (const [first, end] of [
        [0, 50],
        [37, keys],
        [20, 41],
      ] as const) {
        const call = {
          query: matrix(rows, 4, () => 0),
          key: matrix(keys, 4, () => 0),
          value: matrix(keys, 4, (j) => (j < first || j >= end ? Number.NaN : 3e38)),
          maskMod: maskMod(({ key }) => and(greaterEqual(key, first), less(key, end))),
        };
        for (const x of await run(call)) expect(Math.abs(x / 3e38 - 1)).toBeLessThan(1e-5);
      }
    },
  );

  test.each(rowCounts)("NaN between keys that a program hides: %i rows", async (rows) => {
    for (const keys of [4, 9, 40]) {
      const call = {
        query: matrix(rows, 4, () => 0),
        key: matrix(keys, 4, (j) => (j % 3 === 1 ? Number.NaN : 0)),
        value: matrix(keys, 9, (j) => (j % 3 === 1 ? Number.NaN : 2)),
        maskMod: maskMod(({ key }) => notEqual(remainder(key, 3), 1)),
      };
      for (const x of await run(call)) expect(Math.abs(x - 2)).toBeLessThan(1e-6);
    }
  });

  // Two bytes of 0 and 127 are a NaN in float16.
  test.each([1, 3])(
    "a column of int8 has its bits whatever is beside it: %i rows",
    async (rows) => {
      const keys = 21;
      const outputs = [0, 127].map((beside) => {
        const data = Int8Array.from({ length: keys * 8 }, (_, i) =>
          i % 8 === 6 ? 0 : i % 8 === 7 ? beside : ((i * 37) % 255) - 127,
        );
        const scales = Float32Array.from({ length: keys }, (_, j) => 0.01 + j / 999);
        return run({
          query: matrix(rows, 8, (i, c) => Math.sin(i + c)),
          key: tensor(data, [1, 1, keys, 8]),
          value: tensor(data, [1, 1, keys, 8]),
          keyScales: tensor(new Float32Array(keys), [1, 1, keys]),
          valueScales: tensor(scales, [1, 1, keys]),
        });
      });
      const [first, second] = await Promise.all(outputs);
      const others = (x: Float64Array | undefined) => [...(x ?? [])].filter((_, i) => i % 8 < 6);
      expect(others(first)).toEqual(others(second));
    },
  );
});
