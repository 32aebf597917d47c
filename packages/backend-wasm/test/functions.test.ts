import { describe, expect, test } from "vitest";
import { loadWasm } from "../src/load.js";

const wasm = await loadWasm({ threads: 1 });
const baseline = await loadWasm({ threads: 1, simd: "baseline" });

describe.each([
  ["the best build", wasm],
  ["baseline SIMD", baseline],
])("%s", (_, { memory, kernels }) => {
  function apply(name: "exp2All" | "tanhAll", values: Float32Array): Float32Array {
    const address = memory.allocate(values.byteLength);
    new Float32Array(memory.memory.buffer, address, values.length).set(values);
    kernels[name](address, values.length);
    const result = new Float32Array(memory.memory.buffer, address, values.length).slice();
    memory.free(address);
    return result;
  }

  test("exp2 is within 2.5e-7 of 2^x, relatively, from 0 to -126", () => {
    const values = Float32Array.from({ length: 400_000 }, (_, i) => (-126 * i) / 400_000);
    const got = apply("exp2All", values);
    let worst = 0;
    for (let i = 0; i < values.length; i++) {
      worst = Math.max(worst, Math.abs((got[i] as number) / 2 ** (values[i] as number) - 1));
    }
    expect(worst).toBeLessThan(2.5e-7);
    expect(worst).toBeGreaterThan(3e-8);
  });

  test("exp2 hands on every NaN, whatever its payload", () => {
    const bits = Uint32Array.of(0x7fc00000, 0x7fc00001, 0xffffffff, 0x7fffffff);
    const got = apply("exp2All", new Float32Array(bits.buffer));
    expect([...got]).toEqual([Number.NaN, Number.NaN, Number.NaN, Number.NaN]);
  });

  test("exp2 is exact where it must be", () => {
    const values = [0, -1, -2, -126, -127, -1000, Number.NEGATIVE_INFINITY, Number.NaN];
    const got = apply("exp2All", Float32Array.from(values));
    expect([...got]).toEqual([1, 0.5, 0.25, 2 ** -126, 0, 0, 0, Number.NaN]);
  });

  test("tanh is within 4e-7 of tanh x, relatively, and keeps the sign", () => {
    const values = Float32Array.from(
      { length: 400_000 },
      (_, i) => (i % 2 ? 1 : -1) * 1e-6 * 1.00005 ** i,
    );
    const got = apply("tanhAll", values);
    let worst = 0;
    for (let i = 0; i < values.length; i++) {
      worst = Math.max(worst, Math.abs((got[i] as number) / Math.tanh(values[i] as number) - 1));
    }
    expect(worst).toBeLessThan(4e-7);
  });

  test("tanh at its ends", () => {
    const infinity = Number.POSITIVE_INFINITY;
    const got = apply(
      "tanhAll",
      Float32Array.from([0, -0, infinity, -infinity, Number.NaN, 30, 1e-38, -9]),
    );
    expect([...got].slice(0, 6)).toEqual([0, -0, 1, -1, Number.NaN, 1]);
    expect(got[6]).toBe(Math.fround(1e-38));
  });
});
