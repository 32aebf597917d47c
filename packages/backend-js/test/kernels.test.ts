/** Loops over panels and rows: what they compute, and that they write nothing beside it. */
import { Random } from "@heed/conformance";
import { tensor, toFloat64, zeros } from "@heed/core";
import { doubles } from "@heed/core/program";
import { describe, expect, test } from "vitest";
import { expFloat32, stepsOfOne, tableSteps } from "../src/attention/exp.js";
import { allFinite, guardedValues } from "../src/attention/kernels/guarded.js";
import { softmaxStep } from "../src/attention/kernels/softmax.js";
import { streamScores, streamValues } from "../src/attention/kernels/stream.js";
import * as logits from "../src/attention/logits.js";

const random = new Random("kernels");
const numbers = (length: number): number[] =>
  Array.from(toFloat64(random.tensor([length], "float64")));
const floats = (length: number): Float32Array => Float32Array.from(numbers(length));
const { NEGATIVE_INFINITY: hidden, NaN: nan } = Number;

/** A list around which nothing may be written: told by `around`. */
function guardedList(values: readonly number[], before = 5, after = 6) {
  const list = [...new Array(before).fill(nan), ...values, ...new Array(after).fill(nan)];
  return {
    list,
    at: before,
    values: () => list.slice(before, before + values.length),
    expectAround: () => {
      expect(list).toHaveLength(before + values.length + after);
      const around = [...list.slice(0, before), ...list.slice(before + values.length)];
      expect(around.every(Number.isNaN)).toBe(true);
    },
  };
}

describe("rows that are streamed", () => {
  test.each([1, 2, 3, 4, 5, 7, 8, 11])("%i keys have their scores, and only these", (keys) => {
    for (const size of [1, 3, 8]) {
      const [row, base, stride] = [2, 3, size + 2];
      const query = numbers(3 * size);
      const key = floats(base + (keys + 2) * stride);
      const scores = guardedList(numbers(keys));
      streamScores(query, row, key, base, stride, keys, size, scores.list, scores.at);
      const expected = Array.from({ length: keys }, (_, j) => {
        let sum = 0;
        for (let c = 0; c < size; c++)
          sum += (query[row * size + c] as number) * (key[base + j * stride + c] as number);
        return sum;
      });
      expect(scores.values()).toEqual(expected);
      scores.expectAround();
    }
  });

  test.each([1, 2, 3, 4, 5, 7, 8, 11])("%i values are added by their weights", (keys) => {
    for (const size of [1, 3, 8]) {
      const [at, base, stride] = [4, 3, size + 2];
      const weights = numbers(at + keys + 3);
      const value = floats(base + (keys + 2) * stride);
      const sums = numbers(size);
      const output = guardedList(sums);
      streamValues(weights, at, value, base, stride, keys, size, output.list, output.at);
      for (const [c, got] of output.values().entries()) {
        let sum = sums[c] as number;
        for (let j = 0; j < keys; j++)
          sum += (weights[at + j] as number) * (value[base + j * stride + c] as number);
        expect(got).toBeCloseTo(sum, 12);
      }
      output.expectAround();
    }
  });
});

describe("values that are not finite", () => {
  const [base, stride, keys, size] = [4, 5, 6, 3];

  test("are found in the rows at hand, wherever they are, and nowhere else", () => {
    const inside = new Set(
      Array.from(
        { length: keys * size },
        (_, n) => base + Math.floor(n / size) * stride + (n % size),
      ),
    );
    const length = base + (keys + 1) * stride;
    for (const bad of [nan, Infinity, -Infinity]) {
      for (let at = 0; at < length; at++) {
        const value = floats(length);
        value[at] = bad;
        expect(allFinite(value, base, stride, keys, size), `${bad} at ${at}`).toBe(!inside.has(at));
      }
    }
    expect(allFinite(floats(length).fill(nan), base, stride, 0, size)).toBe(true);
  });

  test("are left out for a hidden key alone, and a weight of +0 is none", () => {
    const value = floats(base + keys * stride);
    value[base + 2 * stride] = nan;
    value[base + 3 * stride + 1] = Infinity;
    for (const step of [1, 3]) {
      const weights = numbers(2 + keys * step);
      for (let j = 0; j < keys; j++) weights[2 + j * step] = j + 1;
      weights[2 + 2 * step] = -0;
      const output = guardedList([10, 20, 30]);
      guardedValues(weights, 2, step, value, base, stride, keys, size, output.list, output.at);
      const sum = (c: number, start: number) =>
        [0, 1, 3, 4, 5].reduce(
          (all, j) => all + (j + 1) * (value[base + j * stride + c] as number),
          start,
        );
      expect(output.values()).toEqual([sum(0, 10), sum(1, 20), sum(2, 30)]);
      expect(output.values()[1]).toBe(Infinity);
      output.expectAround();
      weights[2 + 2 * step] = 0;
      guardedValues(weights, 2, step, value, base, stride, keys, size, output.list, output.at);
      expect(output.values()[0]).toBeNaN();
    }
  });
});

describe("a step of the softmax", () => {
  const statisticsOf = (max = hidden, sum = 0) => ({
    max: Float64Array.of(nan, max),
    sum: Float64Array.of(nan, sum),
    hidden: false,
    weightFactor: 1,
  });

  test.each([true, false])("says whether the row sees any key of the tile (exact: %s)", (exact) => {
    for (const step of [1, 3]) {
      const of = (...row: number[]) => {
        const data = new Array(2 + row.length * step).fill(7);
        for (const [j, s] of row.entries()) data[2 + j * step] = s;
        const statistics = statisticsOf();
        const sees = softmaxStep(data, 2, step, row.length, statistics, 1, [1, 2], 0, 2, exact);
        const weights = row.map((_, j) => data[2 + j * step]);
        for (const [at, x] of data.entries()) {
          if (at < 2 || (at - 2) % step !== 0) expect(x).toBe(7);
        }
        return {
          sees,
          weights,
          hides: statistics.hidden,
          max: statistics.max[1],
          sum: statistics.sum[1],
        };
      };
      const unseen = { weights: [-0, -0], hides: true, max: hidden, sum: 0 };
      expect(of(hidden, hidden)).toEqual({ ...unseen, sees: false });
      expect(of()).toEqual({ ...unseen, sees: false, weights: [], hides: false });
      expect(of(hidden, nan)).toEqual({
        ...{ sees: true, weights: [-0, nan], hides: true, max: hidden, sum: nan },
      });
      expect(of(nan)).toMatchObject({ sees: true, weights: [nan], hides: false });
      expect(of(3)).toEqual({ sees: true, weights: [1], hides: false, max: 3, sum: 1 });
      expect(of(3, hidden)).toEqual({ sees: true, weights: [1, -0], hides: true, max: 3, sum: 1 });
      expect(of(-5, -1e300)).toEqual({
        sees: true,
        weights: [1, 0],
        hides: false,
        max: -5,
        sum: 1,
      });
      expect(of(3, nan)).toMatchObject({ sees: true, weights: [1, nan], sum: nan });
    }
  });

  test.each([true, false])(
    "brings sum and output to the scale of a larger logit (exact: %s)",
    (exact) => {
      const rescaled = (before: number, sum: number, seen: number) => {
        const statistics = statisticsOf(before, sum);
        const output = guardedList([2, 4]);
        softmaxStep([seen], 0, 1, 1, statistics, 1, output.list, output.at, 2, exact);
        output.expectAround();
        return [statistics.max[1], statistics.sum[1], ...output.values()];
      };
      const near = (got: readonly unknown[], expected: readonly number[]) => {
        for (const [n, x] of expected.entries()) expect(got[n]).toBeCloseTo(x, 7);
      };
      const e = Math.exp(-1);
      near(rescaled(1, 3, 2), [2, 3 * e + 1, 2 * e, 4 * e]);
      near(rescaled(2, 3, 1), [2, 3 + e, 2, 4]);
      expect(rescaled(2, 3, 2)).toEqual([2, 4, 2, 4]);
      expect(rescaled(hidden, 0, 2)).toEqual([2, 1, 2, 4]);
    },
  );
});

test("exact weights have their factor, and sums lack it", () => {
  const weights = [2, hidden, 1, nan];
  const statistics = {
    ...{ max: Float64Array.of(hidden), sum: new Float64Array(1) },
    ...{ hidden: false, weightFactor: 0.25 },
  };
  softmaxStep(weights, 0, 1, 3, statistics, 0, [0], 0, 1, true);
  expect(weights).toEqual([0.25, -0, 0.25 * Math.exp(-1), nan]);
  expect(statistics.sum[0]).toBe(1 + Math.exp(-1));
});

test("weights end where the table of powers does, as the exponential", () => {
  const edge = -tableSteps / stepsOfOne;
  expect(edge * stepsOfOne).toBe(-tableSteps);
  const weights = [0, edge, edge * (1 - 2 ** -40)];
  const statistics = {
    ...{ max: Float64Array.of(hidden), sum: new Float64Array(1) },
    ...{ hidden: false, weightFactor: 1 },
  };
  softmaxStep(weights, 0, 1, 3, statistics, 0, [0], 0, 1, false);
  expect(weights.slice(0, 2)).toEqual([1, 0]);
  expect(expFloat32(edge)).toBe(0);
  expect(weights[2]).toBe(expFloat32(edge * (1 - 2 ** -40)));
  expect(weights[2]).toBeGreaterThan(0);
});

describe("a row of logits", () => {
  const keys = 5;
  const band = { left: 1, right: 0 };
  const tile = { start: 10, end: 15 };
  const positions = Int32Array.from({ length: 20 }, (_, j) => 3 * j - 30);
  const bias = tensor(Float32Array.of(1, 2, 3, hidden, 5, 6, 7, 8), [1, 1, 1, 8]);
  const half = tensor(Uint16Array.of(0, 0x3c00, 0xfc00, 0x4000, 0xfc00, 0, 0xfc00), [1, 1, 1, 7], {
    dtype: "float16",
  });
  const mask = tensor([true, false, true, false, false, true, false], [1, 1, 1, 7]);
  type Row = logits.LogitsRow;
  const plus =
    (...added: number[]) =>
    (s: number, j: number) =>
      s + (added[j] as number);
  const hide =
    (...places: number[]) =>
    (s: number, j: number) =>
      places.includes(j) ? hidden : s;
  const changes: readonly (readonly [
    string,
    (row: Row) => unknown,
    (s: number, j: number) => number,
  ])[] = [
    ["capped", (row) => logits.capRow(row, 2, true), (s) => 2 * Math.tanh(s / 2)],
    ["capped to float32", (row) => logits.capRow(row, 2, false), (s) => 2 * Math.tanh(s / 2)],
    [
      "capped by what has no inverse",
      (row) => logits.capRow(row, 1e-310, false),
      (s) => 1e-310 * Math.sign(s),
    ],
    ["biased", (row) => logits.addBias(row, bias, 0), plus(1, 2, 3, hidden, 5)],
    ["biased from a place on", (row) => logits.addBias(row, bias, 2), plus(3, hidden, 5, 6, 7)],
    ["biased by bits", (row) => logits.addBias(row, half, 0), plus(0, 1, hidden, 2, hidden)],
    ["hidden by a bias", (row) => logits.hideByBias(row, bias, 1), hide(2)],
    ["hidden by bits of a bias", (row) => logits.hideByBias(row, half, 1), hide(1, 3)],
    ["with ALiBi", (row) => logits.addAlibi(row, 0.5, 12, 10), (s, j) => s - 0.5 * Math.abs(2 - j)],
    [
      "with ALiBi at positions",
      (row) => logits.addAlibiAt(row, 0.5, 6, positions, 10),
      (s, j) => s - 0.5 * Math.abs(6 - 3 * j),
    ],
    ["within a band", (row) => logits.hideOutsideBand(row, tile, band, 12), hide(0, 3, 4)],
    [
      "within a band at positions",
      (row) => logits.hideOutsideBandAt(row, tile, { left: 3, right: 3 }, 6, positions),
      hide(0, 4),
    ],
    ["masked", (row) => logits.hideMasked(row, mask, 0), hide(1, 3, 4)],
    ["masked from a place on", (row) => logits.hideMasked(row, mask, 2), hide(1, 2, 4)],
  ];

  test.each(changes)("%s is changed in its own places alone", (_, change, expected) => {
    for (const step of [1, 3]) {
      const before = numbers(keys * step);
      const row = guardedList(before);
      change({ data: row.list, at: row.at, step, keys });
      row.expectAround();
      for (const [at, got] of row.values().entries()) {
        const s = before[at] as number;
        const want = at % step === 0 ? expected(s, at / step) : s;
        if (Number.isFinite(want)) expect(Math.abs(got - want)).toBeLessThan(1e-6);
        else expect(got).toBe(want);
      }
    }
  });

  test("says whether its bias hides a key", () => {
    const hides = (t: typeof bias | typeof half, start: number) =>
      logits.addBias({ data: numbers(3), at: 0, step: 1, keys: 3 }, t, start);
    expect([hides(bias, 0), hides(bias, 1), hides(bias, 4)]).toEqual([false, true, false]);
    expect([hides(half, 0), hides(half, 1)]).toEqual([true, true]);
    expect(hides(tensor(Uint16Array.of(0, 1, 0x7c00), [1, 1, 1, 3], { dtype: "float16" }), 0)).toBe(
      false,
    );
  });

  test("is copied to consecutive elements", () => {
    const list = doubles(16).fill(0);
    for (let n = 0; n < 16; n++) list[n] = n;
    const to = new Float64Array(9).fill(-1);
    logits.copyRow({ data: list, at: 1, step: 3, keys: 4 }, to, 2);
    expect([...to]).toEqual([-1, -1, 1, 4, 7, 10, -1, -1, -1]);
  });

  test("is found by its strides", () => {
    const t = tensor(zeros("float32", [200]).data, [2, 3, 4, 5], {
      ...{ strides: [90, 30, 7, 1], offset: 3 },
    });
    expect(logits.elementOffset(t, 1, 2, 3, 4)).toBe(3 + 90 + 60 + 21 + 4);
  });
});
