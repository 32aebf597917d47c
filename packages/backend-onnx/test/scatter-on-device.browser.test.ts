/** Rows that are written in place in the memory of provider webgpu. */
import { onnx } from "@heed/backend-onnx";
import { checkBackend } from "@heed/conformance";
import {
  type Attention,
  createAttention,
  type DeviceTensor,
  type HostTensor,
  scatter,
  slice,
  tensor,
  toFloat64,
} from "@heed/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const adapter = await navigator.gpu?.requestAdapter();

/** Numbers between −1 and 1. */
function numbers(shape: readonly number[], seed: number): HostTensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const data = Float32Array.from({ length: count }, (_, i) => Math.sin(seed + i * 1.7));
  return tensor(data, shape);
}

describe.skipIf(!adapter)("scatter on the device", () => {
  let attention: Attention;

  beforeAll(async () => {
    attention = await createAttention({ backends: [onnx({ provider: "webgpu" })] });
  });
  afterAll(() => attention.dispose());

  test("every case of the suite passes, or says that it converts no rows", async () => {
    const report = await checkBackend(onnx({ provider: "webgpu" }) as never, {
      profile: "scatter",
    });
    const refused = report.results.filter(({ outcome }) => outcome !== "pass");
    expect(report.counts.pass).toBeGreaterThan(20);
    for (const result of refused) {
      expect(result).toMatchObject({ outcome: "unsupported" });
      expect(JSON.stringify(result)).toMatch(/in-place|not converted/);
    }
  });

  test("rows from host memory and from the device are written into a cache, and nothing else", async () => {
    const cache = await attention.upload(numbers([2, 2, 6, 5], 1));
    const expected = toFloat64(await cache.read());
    const host = numbers([2, 2, 2, 5], 2);
    const packed = await attention.upload(numbers([2, 2, 3, 5], 3));
    const write = async (source: HostTensor | DeviceTensor, slots: readonly number[]) => {
      const given = "backend" in source ? await source.read() : source;
      const call = { target: cache, source, slots: Int32Array.from(slots), paged: false };
      expect((await attention.apply(scatter, call)).target).toBe(cache);
      const [values, n] = [toFloat64(given), given.shape[2] as number];
      for (const [token, slot] of slots.entries()) {
        const batch = Math.floor(token / n);
        for (let head = 0; head < 2 && slot >= 0; head++) {
          const from = ((batch * 2 + head) * n + (token % n)) * 5;
          expected.set(values.subarray(from, from + 5), ((batch * 2 + head) * 6 + slot) * 5);
        }
      }
      expect(toFloat64(await cache.read())).toEqual(expected);
    };
    await write(host, [0, 5, 3, -1]);
    const part = slice(packed, 2, 1, 3) as DeviceTensor;
    await write(part, [4, 1, 2, 0]);
    for (const t of [cache, packed, part]) t.dispose();
  });

  test("calls that are not waited for see the rows that calls before them have written", async () => {
    const [query, key, value] = [
      numbers([1, 2, 1, 8], 1),
      numbers([1, 2, 9, 8], 2),
      numbers([1, 2, 9, 8], 3),
    ] as const;
    const rows = numbers([1, 2, 2, 8], 4);
    const cache = { key: await attention.upload(key), value: await attention.upload(value) };
    const run = () => attention.run({ query, ...cache });
    const write = (target: DeviceTensor) =>
      attention.apply(scatter, { target, source: rows, slots: Int32Array.of(3, 7), paged: false });
    const read = async (result: ReturnType<typeof run>) => {
      const output = (await result).output as DeviceTensor;
      const numbers = toFloat64(await output.read());
      output.dispose();
      return numbers;
    };
    const steps = async () => {
      const results: ReturnType<typeof run>[] = [run()];
      const writes: Promise<unknown>[] = [];
      for (const target of [cache.key, cache.value]) {
        writes.push(write(target));
        results.push(run());
      }
      const all = await Promise.all(results.map(read));
      await Promise.all(writes);
      return all;
    };
    const inTurn = await steps();
    // Again from the start, one call at a time.
    for (const t of Object.values(cache)) t.dispose();
    cache.key = await attention.upload(key);
    cache.value = await attention.upload(value);
    const expected = [await read(run())];
    for (const target of [cache.key, cache.value]) {
      await write(target);
      expected.push(await read(run()));
    }
    expect(inTurn).toEqual(expected);
    expect(new Set(expected.map((one) => one.join())).size).toBe(3);
    for (const t of Object.values(cache)) t.dispose();
  });
});
