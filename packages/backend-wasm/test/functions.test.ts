import { describe, expect, test } from "vitest";
import { loadWasm } from "../src/load.js";

const wasm = await loadWasm({ threads: 1 });
const baseline = await loadWasm({ threads: 1, simd: "baseline" });

/** Functions of the kernels, by the number that `evaluate` knows them by. */
const float32 = { exp2: 0, tanh: 1, exp: 2, log: 3 } as const;
const float64 = { exp: 4, log2: 5 } as const;

const infinity = Number.POSITIVE_INFINITY;

describe.each([
  ["the best build", wasm],
  ["baseline SIMD", baseline],
])("%s", (_, { memory, kernels }) => {
  function evaluate<A extends Float32Array | Float64Array>(which: number, values: A): A {
    const address = memory.allocate(values.byteLength);
    const { buffer } = memory.memory;
    const Values = values.constructor as new (b: ArrayBufferLike, at: number, n: number) => A;
    new Values(buffer, address, values.length).set(values);
    kernels.evaluate(which, address, values.byteLength);
    const result = new Values(buffer, address, values.length).slice() as A;
    memory.free(address);
    return result;
  }

  const floats = (name: keyof typeof float32, values: ArrayLike<number>) =>
    evaluate(float32[name], Float32Array.from(values));
  const doubles = (name: keyof typeof float64, values: ArrayLike<number>) =>
    evaluate(float64[name], Float64Array.from(values));

  /** The largest relative error, and the mean: roundings average out, and the polynomial's own error stays. */
  function errorsOf(
    got: ArrayLike<number>,
    values: ArrayLike<number>,
    exact: (x: number) => number,
  ): { worst: number; mean: number } {
    let worst = 0;
    let sum = 0;
    for (let i = 0; i < values.length; i++) {
      const error = (got[i] as number) / exact(values[i] as number) - 1;
      // NaN is the worst.
      worst = Math.abs(error) <= worst ? worst : Math.abs(error);
      sum += error;
    }
    return { worst, mean: Math.abs(sum / values.length) };
  }

  /** Numbers from one end to the other, as many as a mean needs. */
  const between = (first: number, last: number, count = 400_000) =>
    Float32Array.from({ length: count }, (_, i) => first + ((last - first) * i) / count);

  test("exp2 is within 2.5e-7 of 2^x, relatively, from 0 to -126", () => {
    const values = between(0, -126);
    const { worst } = errorsOf(floats("exp2", values), values, (x) => 2 ** x);
    expect(worst).toBeLessThan(2.5e-7);
    expect(worst).toBeGreaterThan(3e-8);
  });

  test("exp2's polynomial is within 1e-7 of 2^x in every part of its range", () => {
    for (let n = -5; n < 5; n++) {
      const values = between(-4 + n / 10, -4 + (n + 1) / 10, 40_000);
      const { mean } = errorsOf(floats("exp2", values), values, (x) => 2 ** x);
      expect(mean, `from ${n / 10}`).toBeLessThan(1e-7);
    }
  });

  test("exp2 hands on every NaN, whatever its payload", () => {
    const bits = Uint32Array.of(0x7fc00000, 0x7fc00001, 0xffffffff, 0x7fffffff);
    const got = evaluate(float32.exp2, new Float32Array(bits.buffer));
    expect([...got]).toEqual([Number.NaN, Number.NaN, Number.NaN, Number.NaN]);
  });

  test("exp2 is exact where it must be", () => {
    const got = floats("exp2", [0, -1, -2, -126, -127, -1000, -infinity, Number.NaN]);
    expect([...got]).toEqual([1, 0.5, 0.25, 2 ** -126, 0, 0, 0, Number.NaN]);
  });

  test("tanh is within 4e-7 of tanh x, relatively, and keeps the sign", () => {
    const values = Float32Array.from(
      { length: 400_000 },
      (_, i) => (i % 2 ? 1 : -1) * 1e-6 * 1.00005 ** i,
    );
    expect(errorsOf(floats("tanh", values), values, Math.tanh).worst).toBeLessThan(4e-7);
  });

  test("tanh's polynomial and its exponential are within 1e-7 of tanh x everywhere", () => {
    for (let n = 0; n < 40; n++) {
      const values = between(n / 20 + 1e-4, (n + 1) / 20, 40_000);
      const { mean } = errorsOf(floats("tanh", values), values, Math.tanh);
      expect(mean, `from ${n / 20}`).toBeLessThan(1e-7);
    }
  });

  test("tanh at its ends", () => {
    const got = floats("tanh", [0, -0, infinity, -infinity, Number.NaN, 30, 1e-38, -9]);
    expect([...got].slice(0, 6)).toEqual([0, -0, 1, -1, Number.NaN, 1]);
    expect(got[6]).toBe(Math.fround(1e-38));
  });

  test("exp is within 1.2e-7 of e^x, relatively, from -87 to 88", () => {
    const values = between(-87, 88);
    const { worst, mean } = errorsOf(floats("exp", values), values, Math.exp);
    expect(worst).toBeLessThan(1.2e-7);
    expect(mean).toBeLessThan(1e-9);
    // Its series, at the ends of the range that it is for.
    for (const [first, last] of [
      [0.3, 0.3465],
      [-0.3465, -0.3],
    ] as const) {
      const near = between(first, last);
      expect(errorsOf(floats("exp", near), near, Math.exp).mean).toBeLessThan(5e-9);
    }
  });

  test("exp at its ends, and between the normal numbers and 0", () => {
    const got = floats("exp", [0, 88.8, 1e38, infinity, -105, -1e38, -infinity, Number.NaN]);
    expect([...got]).toEqual([1, infinity, infinity, infinity, 0, 0, 0, Number.NaN]);
    const small = between(-103, -88, 4000);
    floats("exp", small).forEach((x, i) => {
      expect(Math.abs(x / 2 ** -149 - Math.exp(small[i] as number) / 2 ** -149)).toBeLessThan(2);
    });
    expect(floats("exp", [88.7, -87.4, 1, -1])[0]).toBeCloseTo(Math.exp(Math.fround(88.7)), -33);
  });

  test.each([
    ["many sizes", Array.from({ length: 400_000 }, (_, i) => 1e-37 * 1.0004 ** i)],
    ["numbers above 1", between(1.001, 1.41)],
    ["numbers below 1", between(0.708, 0.999)],
    ["numbers that are not normal", between(1e-41, 1.1e-38)],
  ])("log is within 2.5e-7 of ln x, relatively: %s", (_, numbers) => {
    const values = Float32Array.from(numbers.filter((x) => x < 3e38));
    const whole = values.subarray(0, values.length & ~3);
    const { worst, mean } = errorsOf(floats("log", whole), whole, Math.log);
    expect(worst).toBeLessThan(2.5e-7);
    expect(mean).toBeLessThan(2e-9);
  });

  // Its series, at the ends of the range that it is for: its first term left out is all that a mean has.
  test.each([
    [1.38, 1.414],
    [0.7075, 0.725],
  ])("log's series is within 4e-9 of ln x from %f to %f", (first, last) => {
    const values = between(first, last);
    expect(errorsOf(floats("log", values), values, Math.log).mean).toBeLessThan(4e-9);
  });

  test("log at its ends", () => {
    const got = floats("log", [1, 0, -0, -1, -infinity, infinity, Number.NaN, -1e-40]);
    const none = Number.NaN;
    expect([...got]).toEqual([0, -infinity, -infinity, none, none, infinity, none, none]);
    expect(floats("log", [2 ** -149, 2 ** -127, 2 ** -126, 3e38])[0]).toBeCloseTo(-103.2789, 4);
  });

  test("exp of float64 is within 3e-16 of e^x, relatively, from -708 to 0", () => {
    const values = Float64Array.from({ length: 100_000 }, (_, i) => (-708 * i) / 100_000);
    expect(errorsOf(doubles("exp", values), values, Math.exp).worst).toBeLessThan(3e-16);
    const ends = doubles("exp", [0, -746, -1e300, -infinity, Number.NaN, -745]);
    expect([...ends]).toEqual([1, 0, 0, 0, Number.NaN, 2 ** -1074]);
  });

  test("log2 of float64 is within 7e-16 of log₂ x, relatively", () => {
    const values = Float64Array.from({ length: 100_000 }, (_, i) => 1e-30 * 1.002 ** i);
    const some = values.filter((x) => x < 1e30);
    const whole = some.subarray(0, some.length & ~1);
    expect(errorsOf(doubles("log2", whole), whole, Math.log2).worst).toBeLessThan(7e-16);
    const near = Float64Array.from({ length: 10_000 }, (_, i) => 0.7 + i / 13_000 + 1e-7);
    expect(errorsOf(doubles("log2", near), near, Math.log2).worst).toBeLessThan(2e-15);
    expect([...doubles("log2", [1, 2, 0.5, 2 ** 40])]).toEqual([0, 1, -1, 40]);
  });
});
