/** `webgpu({ batchInvariant: true })`: a row's bits do not depend on what is computed beside it. */
import { type AttentionInputs, describeProblem, type HostTensor } from "@heed/core";
import { beforeAll, describe, expect, test } from "vitest";
import { WebGpuBackend } from "../src/backend.js";
import type { OpenDevice } from "../src/device.js";
import { available } from "./available.js";
import { makeCall } from "./calls.js";
import { sharedDevice } from "./devices.js";

type HostCall = AttentionInputs<HostTensor>;

/** Some of the first axes' indices. */
function part(
  t: HostTensor,
  batches: number,
  heads: number,
  first: number,
  rows: number,
): HostTensor {
  return {
    ...t,
    shape: [batches, heads, rows, t.shape[3] as number],
    offset: t.offset + first * (t.strides[2] as number),
  };
}

export function testBatchInvariance(): void {
  describe.skipIf(!available)("batch invariance", () => {
    let open: OpenDevice;
    beforeAll(async () => {
      open = await sharedDevice();
    });

    async function output(backend: WebGpuBackend, call: HostCall): Promise<Uint32Array[]> {
      const plan = await backend.plan(describeProblem(call));
      const { output } = await plan.run(call);
      plan.dispose();
      const { data, shape } = output as HostTensor;
      const size = shape[3] as number;
      const bits = new Uint32Array((data as Float32Array).buffer);
      return Array.from({ length: bits.length / size }, (_, row) =>
        bits.slice(row * size, (row + 1) * size),
      );
    }

    describe.each([
      ["the adapter", {}],
      ["deciding as on a GPU", { software: false }],
    ])("%s", (_, capabilities) => {
      test.each([
        ["all keys", {}],
        ["causal", { causal: true }],
        ["a window", { causal: true, window: { left: 37 } }],
        ["ALiBi and softcap", { causal: true, alibiSlopes: [0.1, 0.2], softcap: 3 }],
      ])("%s", async (_, rules) => {
        const backend = await WebGpuBackend.on(
          { ...open, capabilities: { ...open.capabilities, ...capabilities } },
          { batchInvariant: true },
        );
        const all = makeCall({ batch: 2, heads: [2, 1], lengths: [80, 300], sizes: [32, 32] });
        const alone = 50;
        const whole = await output(backend, { ...all, ...rules, queryOffset: [220, 220] });
        for (const [batches, first, rows] of [
          [1, alone, 1],
          [2, alone, 4],
          [1, alone - 20, 33],
        ] as const) {
          const some = await output(backend, {
            ...rules,
            query: part(all.query, batches, 2, first, rows),
            key: part(all.key, batches, 1, 0, 300),
            value: part(all.value, batches, 1, 0, 300),
            queryOffset: Array.from({ length: batches }, () => 220 + first),
          });
          for (let head = 0; head < 2; head++) {
            expect(some[head * rows + (alone - first)]).toEqual(whole[head * 80 + alone]);
          }
        }
        backend.dispose();
      });
    });

    test("without the option, bits do change: the test can see it", async () => {
      const backend = await WebGpuBackend.on({
        ...open,
        capabilities: { ...open.capabilities, software: false },
      });
      const all = makeCall({ heads: [1, 1], lengths: [100, 1000], sizes: [32, 32] });
      const whole = await output(backend, all);
      const alone = await output(backend, { ...all, query: part(all.query, 1, 1, 50, 1) });
      expect(alone[0]).not.toEqual(whole[50]);
      backend.dispose();
    });
  });
}
