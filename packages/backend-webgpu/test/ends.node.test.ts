/** The last columns, keys and numbers of what kernels compute at once, in which a mistake by one concerns nothing else. */
import {
  type AttentionInputs,
  type AttentionOutputs,
  describeProblem,
  fromFloat64,
  type HostTensor,
  tensor,
  toFloat64,
} from "@heed/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KernelName } from "../src/attention/kernel-names.js";
import { WebGpuBackend } from "../src/backend.js";
import type { OpenDevice } from "../src/device.js";
import { available } from "./available.js";
import { makeCall } from "./calls.js";
import { sharedDevice } from "./devices.js";
import { expectPass } from "./passes.js";
import { storedCall } from "./stored-calls.js";

type Call = AttentionInputs<HostTensor>;

describe.skipIf(!available)("ends", () => {
  let open: OpenDevice;
  beforeAll(async () => {
    open = await sharedDevice();
  });

  /** Runs calls of the tests at hand by a kernel, or by the one that is chosen. */
  function useKernel(kernel?: KernelName): (call: Call) => Promise<AttentionOutputs<HostTensor>> {
    let backend: WebGpuBackend;
    beforeAll(async () => {
      backend = await WebGpuBackend.on(open, kernel && { kernel });
    });
    afterAll(() => backend.dispose());
    return async (call) => {
      const plan = await backend.plan(describeProblem(call));
      if (kernel) expect(plan.description.kernel).toContain(`attention-${kernel}-`);
      const outputs = (await plan.run(call)) as AttentionOutputs<HostTensor>;
      plan.dispose();
      return outputs;
    };
  }

  function infinityStays(run: ReturnType<typeof useKernel>): void {
    test("an infinity of a value that some rows see stays in its column", async () => {
      const call: Call = {
        ...makeCall({ heads: [1, 1], lengths: [5, 40], sizes: [12, 11] }),
        causal: true,
        queryOffset: "bottom-right",
      };
      const expected = (await run(call)).output.data as Float32Array;
      for (const column of [0, 6, 10]) {
        const value = { ...call.value, data: Float32Array.from(call.value.data as Float32Array) };
        value.data[37 * 11 + column] = Number.POSITIVE_INFINITY;
        const { output } = await run({ ...call, value });
        const numbers = output.data as Float32Array;
        for (const row of [2, 3, 4]) {
          const at = row * 11 + column;
          expect(numbers[at], `row ${row}, column ${column}`).toBe(Number.POSITIVE_INFINITY);
          numbers[at] = expected[at] as number;
        }
        expectPass(call, { output });
      }
    });
  }

  describe.each(["stream", "quad"] as const)("%s", (kernel) => {
    const run = useKernel(kernel);

    // Registers for sixteen columns, of which as many are read as there are.
    test.each([9, 10, 11, 12, 15])("%i columns", async (columns) => {
      const call = makeCall({ lengths: [5, 40], sizes: [12, columns] });
      expectPass(call, await run(call));
    });

    infinityStays(run);

    test("pages of a window are parted where rows see some of each", async () => {
      const call = storedCall({
        stored: "float32",
        heads: [1, 1],
        sizes: [4, 4],
        // Rows 66 to 70 see keys 56 to 70, which are taken from 56 to 63 and from 64 to 70.
        sequences: [[5, 71]],
        pageSize: 16,
        rules: { causal: true, queryOffset: "bottom-right", window: { left: 10, right: 0 } },
      });
      expectPass(call, await run(call));
    });

    test("keys before a window lie between those that it has", async () => {
      const call: Call = {
        ...makeCall({ heads: [1, 1], lengths: [1, 64], sizes: [4, 4] }),
        window: { left: 10, right: 0 },
        queryPositions: positionsOf(Int32Array.of(63)),
        keyPositions: positionsOf(Int32Array.from({ length: 64 }, (_, j) => (j % 2) * j)),
      };
      expectPass(call, await run(call));
    });
  });

  // Smallest and largest position are known of each 64 keys of the whole batch, and say of a tile whether rows see all of it
  // or nothing.
  describe("decode", () => {
    const run = useKernel("decode");

    infinityStays(run);

    test("a tile of a ragged batch has keys of two times 64, and its last are the only ones seen", async () => {
      const call = storedCall({
        stored: "float32",
        heads: [1, 1],
        sizes: [4, 4],
        sequences: [4098, 200].map((keys) => [1, keys] as const),
        ragged: true,
        positions: "both",
      });
      const [, second = 0] = call.keyStarts as Int32Array;
      // The first key is seen, so that tiles begin there: keys 64 to 127 of the sequence are 4,164 to 4,227 of the batch.
      const seen = new Set([second, 4224, 4225, 4226, 4227]);
      const positions = Int32Array.from({ length: call.key.shape[2] as number }, (_, j) =>
        j < second || seen.has(j) ? 0 : 1000,
      );
      const placed: Call = {
        ...call,
        causal: true,
        queryPositions: positionsOf(new Int32Array(2)),
        keyPositions: positionsOf(positions),
      };
      expectPass(placed, await run(placed));
    });
  });

  describe("the adapter's choice", () => {
    const run = useKernel();

    test("infinities stay what they are in float16", async () => {
      const values = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 65504, -65504, 0];
      const half = (numbers: number[], shape: number[]): HostTensor =>
        fromFloat64(Float64Array.from(numbers), shape, "float16");
      const { output } = await run({
        query: half([1], [1, 1, 1, 1]),
        key: half([1], [1, 1, 1, 1]),
        value: half(values, [1, 1, 1, values.length]),
      });
      expect(output.dtype).toBe("float16");
      expect([...toFloat64(output)]).toEqual(values);
    });
  });
});

const positionsOf = (data: Int32Array): HostTensor => tensor(data, [1, data.length]);
