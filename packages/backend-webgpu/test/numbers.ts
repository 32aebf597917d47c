/**
 * Kernels judged by numbers in places that no case of the suite leads to: alignment of device tensors,
 * rounding to float16, non-finite values, many parts of the keys, the ends of float32.
 */
import { webgpuTensor } from "@heed/backend-webgpu";
import {
  type AttentionInputs,
  type AttentionOutputs,
  type DeviceTensor,
  describeProblem,
  float16BitsToNumber,
  type HostTensor,
  isDeviceTensor,
  toFloat64,
  transpose,
} from "@heed/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kernelNames } from "../src/attention/kernel-names.js";
import { WebGpuBackend } from "../src/backend.js";
import type { OpenDevice } from "../src/device.js";
import { available } from "./available.js";
import { makeCall } from "./calls.js";
import { sharedDevice } from "./devices.js";
import { expectPass } from "./passes.js";

type HostCall = AttentionInputs<HostTensor>;

/** Every kernel that runs without experimental features. */
const kernels = kernelNames.filter((kernel) => kernel !== "subgroup-matrix");

const floats = (shape: readonly number[], values: ArrayLike<number>): HostTensor => ({
  dtype: "float32",
  shape,
  strides: shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1)),
  offset: 0,
  data: Float32Array.from(values),
});

/** Batch, head and head size 1: queries, keys and values as numbers. */
const small = (query: number[], key: number[], value: number[]): HostCall => ({
  query: floats([1, 1, query.length, 1], query),
  key: floats([1, 1, key.length, 1], key),
  value: floats([1, 1, value.length, 1], value),
});

export function testNumbers(): void {
  describe.skipIf(!available)("numbers", () => {
    let open: OpenDevice;
    const backends = new Map<string, WebGpuBackend>();

    beforeAll(async () => {
      open = await sharedDevice();
      for (const kernel of kernels) {
        backends.set(kernel, await WebGpuBackend.on(open, { kernel }));
      }
      const capabilities = { ...open.capabilities, software: false };
      backends.set("as on a GPU", await WebGpuBackend.on({ ...open, capabilities }));
      const batchInvariant = { batchInvariant: true };
      backends.set("batch-invariant", await WebGpuBackend.on(open, batchInvariant));
      backends.set(
        "batch-invariant as on a GPU",
        await WebGpuBackend.on({ ...open, capabilities }, batchInvariant),
      );
    });
    afterAll(() => {
      for (const backend of backends.values()) backend.dispose();
    });

    async function run(name: string, call: AttentionInputs): Promise<AttentionOutputs<HostTensor>> {
      const backend = backends.get(name) as WebGpuBackend;
      const plan = await backend.plan(describeProblem(call));
      const outputs = await plan.run(call);
      const host: Record<string, HostTensor> = {};
      for (const [output, t] of Object.entries(outputs)) {
        host[output] = isDeviceTensor(t) ? await t.read() : t;
      }
      plan.dispose();
      return host as unknown as AttentionOutputs<HostTensor>;
    }

    const numbersOf = async (name: string, call: HostCall): Promise<number[]> =>
      Array.from(toFloat64((await run(name, call)).output));

    // Few rows have keys split among many workgroups; with many rows one sums them all.
    describe.each([1, 600])(
      "the mean of 32,768 nearly equal weights does not drift, %i rows",
      (rows) => {
        test.each([...kernels, "as on a GPU", "batch-invariant", "batch-invariant as on a GPU"])(
          "%s",
          async (name) => {
            const keys = 32_768;
            const key = new Float32Array(keys);
            key[0] = 1;
            const output = await numbersOf(name, {
              query: floats([1, 1, rows, 1], new Float32Array(rows).fill(1)),
              key: floats([1, 1, keys, 1], key),
              value: floats([1, 1, keys, 1], new Float32Array(keys).fill(1)),
            });
            const errors = output.map((mean) => Math.abs(mean - 1));
            expect(Math.max(...errors)).toBeLessThan(2e-5);
          },
        );
      },
    );

    describe("device tensors at every alignment", () => {
      // Decoding reads four elements at a time where everything is a multiple of four.
      test.each([
        ["all aligned", 0, 0, 0],
        ["an offset of 1", 1, 0, 0],
        ["an offset of 2", 2, 0, 0],
        ["heads 2 elements apart from a multiple", 0, 2, 0],
        ["rows 2 elements apart from a multiple", 0, 0, 2],
      ])("%s", async (_, offset, headGap, rowGap) => {
        const [heads, length, size] = [2, 70, 16];
        const strides = [0, 0, size + 4 + rowGap, 1];
        strides[1] = length * (strides[2] as number) + headGap;
        strides[0] = heads * (strides[1] as number);
        const shape = [1, heads, length, size];
        const device = open.device;
        const call = makeCall({ heads: [4, heads], lengths: [2, length], sizes: [size, size] });
        const host = (t: HostTensor): HostTensor => {
          const data = new Float32Array(offset + (strides[0] as number)).fill(Number.NaN);
          const values = toFloat64(t);
          let n = 0;
          for (let h = 0; h < heads; h++) {
            for (let j = 0; j < length; j++) {
              const at = offset + h * (strides[1] as number) + j * (strides[2] as number);
              for (let d = 0; d < size; d++) data[at + d] = values[n++] as number;
            }
          }
          return { dtype: "float32", shape, strides, offset, data };
        };
        const wrap = (t: HostTensor): DeviceTensor => {
          const size = Math.ceil(t.data.byteLength / 4) * 4;
          const buffer = device.createBuffer({ size, usage: 0x80 | 0x8 | 0x4 });
          device.queue.writeBuffer(buffer, 0, t.data as Float32Array<ArrayBuffer>);
          return webgpuTensor(buffer, shape, { dtype: "float32", strides, offset });
        };
        const [key, value] = [host(call.key), host(call.value)];
        for (const name of ["decode", "tile"]) {
          for (const [k, v] of [
            [wrap(key), wrap(value)],
            [wrap(key), value],
            [key, wrap(value)],
          ] as const) {
            expectPass(call, await run(name, { ...call, key: k, value: v }));
          }
        }
      });
    });

    describe("float16", () => {
      const halfOf = (bits: ArrayLike<number>, shape: readonly number[]): HostTensor => ({
        ...floats(shape, []),
        dtype: "float16",
        data: Uint16Array.from(bits),
      });
      const column = (count: number): HostTensor =>
        halfOf(new Uint16Array(count), [1, 1, count, 1]);

      // Means of neighbours are exact in float32: halfway (to even), a quarter (down), three (up).
      test.each([
        ["halfway", [0, 1], (bits: number) => bits + (bits & 1)],
        ["a quarter", [0, 0, 0, 1], (bits: number) => bits],
        ["three quarters", [0, 1, 1, 1], (bits: number) => bits + 1],
      ])("results %s of the way to the next number are rounded", async (_, steps, rounded) => {
        const neighbours = Array.from({ length: 0x7bff }, (_, bits) => bits);
        for (const sign of [0, 0x8000]) {
          const value = steps.flatMap((step) => neighbours.map((bits) => sign | (bits + step)));
          const call: HostCall = {
            query: column(1),
            key: column(steps.length),
            value: halfOf(value, [1, 1, steps.length, neighbours.length]),
          };
          const { output } = await run("row", call);
          const got = toFloat64(output);
          const wrong = neighbours.filter((bits) => {
            const expected = float16BitsToNumber(sign | rounded(bits));
            // Subnormal results may be flushed by arithmetic in float32 only, which has none here.
            return got[bits] !== expected;
          });
          expect(wrong.slice(0, 5)).toEqual([]);
        }
      });

      test("sums beyond the range become infinite, and just below it do not", async () => {
        // A query of 1 by keys that sum to 65504, 65519.99…, 65520 and 65536.
        const sums = [
          [0x7bff, 0x0000, 0x0000],
          [0x7bff, 0x4bff, 0x0000],
          [0x7bff, 0x4c00, 0x0000],
          [0x7bff, 0x5000, 0x0000],
        ];
        const call = {
          query: halfOf([0x3c00, 0x3c00, 0x3c00], [1, 1, 1, 3]),
          key: halfOf(sums.flat(), [1, 1, sums.length, 3]),
          value: column(sums.length),
          scale: 1,
          returns: { scores: "raw" },
        } as const;
        const { scores } = await run("row", call);
        expect(Array.from(toFloat64(scores as HostTensor))).toEqual([
          65504,
          65504,
          Number.POSITIVE_INFINITY,
          Number.POSITIVE_INFINITY,
        ]);
      });
    });

    describe.each([...kernels, "as on a GPU"])("%s", (name) => {
      test("NaN in hidden values stays hidden, in every column, and shows where it is seen", async () => {
        const call = makeCall({ heads: [1, 1], lengths: [3, 40], sizes: [16, 300] });
        const value = { ...call.value, data: Float32Array.from(call.value.data as Float32Array) };
        const poisoned = [5, 70, 140, 255, 256, 299];
        for (const c of poisoned) value.data[7 * 300 + c] = Number.NaN;
        // Row 1 alone sees key 7.
        const seen = Array.from(
          { length: 3 * 40 },
          (_, i) => i % 40 !== 7 || (i >= 80 === false && i >= 40),
        );
        const mask: HostTensor = {
          dtype: "bool",
          shape: [3, 40],
          strides: [40, 1],
          offset: 0,
          data: Uint8Array.from(seen, Number),
        };
        const { output } = await run(name, { ...call, value, mask });
        const clean = { ...call, mask };
        const got = output.data as Float32Array;
        for (const c of poisoned) expect(got[300 + c]).toBeNaN();
        // The poisoned places of row 1 aside, the result is that of values without NaN.
        const expected = (await run(name, clean)).output.data as Float32Array;
        for (const c of poisoned) got[300 + c] = expected[300 + c] as number;
        expectPass(clean, { output });
      });

      test("NaN and infinities that a row sees concern that row alone", async () => {
        const call = makeCall({ heads: [1, 1], lengths: [4, 40], sizes: [16, 16] });
        for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, 3e38]) {
          const query = { ...call.query, data: Float32Array.from(call.query.data as Float32Array) };
          query.data[2 * 16 + 3] = bad;
          const { output } = await run(name, { ...call, query });
          const expected = (await run(name, call)).output.data as Float32Array;
          const got = output.data as Float32Array;
          for (let i = 32; i < 48; i++) got[i] = expected[i] as number;
          expectPass(call, { output });
          const bias = floats([4, 40], new Float32Array(4 * 40));
          bias.data[2 * 40 + 11] = bad;
          const biased = (await run(name, { ...call, bias })).output;
          for (let i = 32; i < 48; i++) {
            (biased.data as Float32Array)[i] = expected[i] as number;
          }
          expectPass(call, { output: biased });
        }
      });

      test("products that overflow are NaN or right, never another number", async () => {
        for (const [key, rights] of [
          [[1e20, 0], [10]],
          [[0, 1e20], [20]],
          [[1e20, 1e20], [15]],
        ] as const) {
          const call = { ...small([1e20], [...key], [10, 20]), scale: 1e-38 };
          const [got] = await numbersOf(name, call);
          expect(Number.isNaN(got) || (rights as readonly number[]).includes(got as number)).toBe(
            true,
          );
        }
      });

      test("finite parameters at the ends of float32 give what finite arithmetic gives", async () => {
        const zeros = small([0], [0, 0], [10, 20]);
        expect(await numbersOf(name, { ...zeros, sinks: [3e38] })).toEqual([0]);
        expect(await numbersOf(name, { ...zeros, sinks: [-3e38] })).toEqual([15]);
        expect(await numbersOf(name, { ...zeros, scale: 3e38 })).toEqual([15]);
        const bias = (values: number[]) => floats([1, 2], values);
        expect(await numbersOf(name, { ...zeros, bias: bias([3e38, 0]) })).toEqual([10]);
        expect(await numbersOf(name, { ...zeros, bias: bias([-3e38, 3e38]) })).toEqual([20]);
        expect(await numbersOf(name, { ...zeros, bias: bias([-3.4e38, -3.4e38]) })).toEqual([15]);
        const ones = small([1], [Math.log(3), 0], [10, 20]);
        const [wide] = await numbersOf(name, { ...ones, scale: 1, softcap: 3e38 });
        expect(wide).toBeCloseTo(12.5, 5);
        const [narrow] = await numbersOf(name, { ...ones, scale: 1, softcap: 1e-37 });
        expect(narrow).toBeCloseTo(15, 5);
      });

      test("a sink counts once, in however many parts the keys are computed", async () => {
        const call = {
          ...makeCall({ heads: [4, 2], lengths: [2, 1700], sizes: [16, 16] }),
          sinks: [9, -3, 8, 7],
          returns: { logSumExp: true, weights: true },
        };
        expectPass(call, await run(name, call));
      });
    });

    test("keys in more than eight parts on a GPU", async () => {
      const backend = backends.get("as on a GPU") as WebGpuBackend;
      const call = makeCall({ heads: [4, 2], lengths: [2, 1700], sizes: [16, 16] });
      const choice = backend.choose(describeProblem(call));
      expect(choice.kernel).toBe("decode");
      expect(choice.splits).toBeGreaterThan(8);
    });

    test("heads between rows, as in a cache by position", async () => {
      const call = makeCall({ heads: [4, 2], lengths: [2, 150], sizes: [16, 16] });
      const byPosition = (t: HostTensor): HostTensor => {
        const turned = transpose(t, [0, 2, 1, 3]);
        const data = Float32Array.from(toFloat64(turned));
        const [batch, length, heads, size] = turned.shape as [number, number, number, number];
        return transpose({ ...floats([batch, length, heads, size], data) }, [0, 2, 1, 3]);
      };
      const turned = { ...call, key: byPosition(call.key), value: byPosition(call.value) };
      for (const name of ["decode", "tile", "stream"]) expectPass(call, await run(name, turned));
    });
  });
}
