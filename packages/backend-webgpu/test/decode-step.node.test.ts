/** A step of decoding over a cache on the device: what it submits, allocates and waits for. */
import {
  type DeviceTensor,
  describeProblem,
  fromFloat64,
  type HostTensor,
  referenceAttention,
  scatter,
  tensor,
  toFloat64,
} from "@heed/core";
import { describe, expect, test, vi } from "vitest";
import type { WebGpuBackend } from "../src/backend.js";
import { available } from "./available.js";
import { onShared, sharedDevice } from "./devices.js";

const pageSize = 4;
const pagesOfOne = 16;
const batch = 2;
const headDim = 8;

describe.skipIf(!available)("a step of decoding", () => {
  test("in pages of int8 allocates nothing, and all its calls are one submission", async () => {
    const { device } = await sharedDevice();
    const backend = (await onShared().load()) as WebGpuBackend;
    const places = [batch * pagesOfOne, 1, pageSize];
    const caches = ["int8", "int8"].map(() =>
      backend.memory.allocate("int8", [...places, headDim]),
    );
    const scales = ["float32", "float32"].map(() => backend.memory.allocate("float32", places));
    const row = (step: number, side: number): HostTensor => {
      const numbers = Float64Array.from({ length: batch * headDim }, (_, i) =>
        Math.sin(step * 7 + side * 3 + i),
      );
      return fromFloat64(numbers, [batch, 1, 1, headDim], "float32");
    };
    const query = await backend.upload(row(0, 5));
    // Pages of the two sequences take turns.
    const pageOf = (s: number, page: number): number => batch * page + s;
    const steps = 40;
    const pageTable = tensor(
      Int32Array.from({ length: batch * pagesOfOne }, (_, i) =>
        pageOf(Math.floor(i / pagesOfOne), i % pagesOfOne),
      ),
      [batch, pagesOfOne],
    );
    const writeCall = (step: number, side: number) => ({
      target: caches[side] as DeviceTensor,
      scales: scales[side] as DeviceTensor,
      source: row(step, side),
      slots: Int32Array.from({ length: batch }, (_, s) => {
        return pageOf(s, Math.floor(step / pageSize)) * pageSize + (step % pageSize);
      }),
      paged: true,
    });
    const attend = (length: number) => ({
      query,
      key: caches[0] as DeviceTensor,
      value: caches[1] as DeviceTensor,
      keyScales: scales[0] as DeviceTensor,
      valueScales: scales[1] as DeviceTensor,
      pageTable,
      kvLengths: [length, Math.max(0, length - 3)],
      causal: true,
      queryOffset: "bottom-right" as const,
    });
    const writing = await backend.plan(scatter.describe(writeCall(0, 0)));
    const problem = describeProblem(attend(1));
    const attending = await backend.plan(problem);
    const step = async (at: number): Promise<DeviceTensor> => {
      void writing.run(writeCall(at, 0));
      void writing.run(writeCall(at, 1));
      expect(describeProblem(attend(at + 1))).toBe(problem);
      const { output } = await attending.run(attend(at + 1));
      return output as DeviceTensor;
    };
    const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
    for (const at of [0, 1]) {
      (await step(at)).dispose();
      await turn();
    }
    const submit = vi.spyOn(device.queue, "submit");
    const createBuffer = vi.spyOn(device, "createBuffer");
    const compile = vi.spyOn(device, "createComputePipelineAsync");
    let last: DeviceTensor | null = null;
    for (let at = 2; at < steps; at++) {
      last?.dispose();
      last = await step(at);
      await turn();
    }
    expect(submit).toHaveBeenCalledTimes(steps - 2);
    expect(createBuffer).not.toHaveBeenCalled();
    expect(compile).not.toHaveBeenCalled();
    vi.restoreAllMocks();

    const [key, value, keyScales, valueScales] = await Promise.all(
      [...caches, ...scales].map((cache) => cache.read()),
    );
    const expected = referenceAttention({
      ...attend(steps),
      query: row(0, 5),
      key: key as HostTensor,
      value: value as HostTensor,
      keyScales: keyScales as HostTensor,
      valueScales: valueScales as HostTensor,
    });
    const given = toFloat64(await (last as DeviceTensor).read());
    for (const [i, x] of toFloat64(expected.output).entries()) expect(given[i]).toBeCloseTo(x, 5);
    for (const t of [query, last as DeviceTensor, ...caches, ...scales]) t.dispose();
    backend.dispose();
  });
});
