/** Calls that write in place and are not awaited: what is called later sees them, what was called earlier does not. */
import { webgpu } from "@heed/backend-webgpu";
import { createAttention, fromFloat64, type HostTensor, scatter, toFloat64 } from "@heed/core";
import { describe, expect, test } from "vitest";
import { available } from "./available.js";

const row = (value: number): HostTensor =>
  fromFloat64(Float64Array.of(value), [1, 1, 1, 1], "float32");

describe.skipIf(!available)("order", () => {
  test("scatter, attention and reads in the order of their calls, also while kernels are compiled", async () => {
    const attention = await createAttention({
      backends: [webgpu({ allowFallbackAdapter: true })],
      selfTest: false,
    });
    const [key, value] = ["key", "value"].map(() => attention.allocate("float32", [1, 1, 8, 1]));
    if (!key || !value) throw new Error("no memory");
    const step = (at: number, length: number) => {
      const writes = [key, value].map((target, i) =>
        attention.apply(scatter, {
          target,
          source: row(i === 0 ? 0 : at + 1),
          slots: Int32Array.of(at),
        }),
      );
      const run = attention.run({ query: row(1), key, value, kvLengths: [length] });
      return { writes, run };
    };
    // Nothing is awaited until all calls are made. Both operations have to make their plans.
    const early = attention.run({ query: row(1), key, value, kvLengths: [8] });
    const steps = Array.from({ length: 4 }, (_, at) => step(at, at + 1));
    const mean = async (run: ReturnType<typeof step>["run"]): Promise<number> => {
      const { output } = await run;
      const host = "read" in output ? await output.read() : output;
      return toFloat64(host as HostTensor)[0] as number;
    };
    expect(await mean(early)).toBe(0);
    for (const [at, { writes, run }] of steps.entries()) {
      await Promise.all(writes);
      expect(await mean(run)).toBeCloseTo((at + 2) / 2, 5);
    }
    // Plans are there now: reads see what was written before them, too.
    const reads = [4, 5, 6, 7].map((at) => {
      const { writes, run } = step(at, at + 1);
      return { at, done: Promise.all([...writes, run]), values: value.read() };
    });
    for (const { at, done, values } of reads) {
      await done;
      const expected = Array.from({ length: 8 }, (_, i) => (i <= at ? i + 1 : 0));
      expect([...toFloat64(await values)]).toEqual(expected);
    }
    key.dispose();
    value.dispose();
    await attention.dispose();
  });
});
