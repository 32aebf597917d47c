/** Inputs in memory that is not a plain ArrayBuffer, and memory that changes during a call. */
import { type WebGpuBackend, webgpu } from "@heed/backend-webgpu";
import { judge } from "@heed/conformance";
import {
  type AttentionInputs,
  bytesPerElement,
  type DeviceTensor,
  describeProblem,
  type HostTensor,
  InvalidInputError,
  toFloat64,
} from "@heed/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { available } from "./available.js";
import { makeCall } from "./calls.js";

type Resizable = ArrayBuffer & { resize(bytes: number): void };
const ResizableBuffer = ArrayBuffer as unknown as new (
  bytes: number,
  options?: { maxByteLength: number },
) => Resizable;
const GrowableBuffer = (globalThis as { SharedArrayBuffer?: unknown }).SharedArrayBuffer as
  | (new (
      bytes: number,
      options?: { maxByteLength: number },
    ) => SharedArrayBuffer)
  | undefined;

const memories: readonly (readonly [string, (bytes: number) => ArrayBufferLike])[] = [
  ["resizable", (bytes: number) => new ResizableBuffer(bytes, { maxByteLength: 2 * bytes })],
  ...(GrowableBuffer
    ? ([
        ["shared", (bytes: number) => new GrowableBuffer(bytes)],
        ["growable", (bytes: number) => new GrowableBuffer(bytes, { maxByteLength: 2 * bytes })],
      ] as const)
    : []),
];

/** The same tensor in other memory, from byte 8. */
function inMemory(t: HostTensor, make: (bytes: number) => ArrayBufferLike): HostTensor {
  const data = t.data as Float32Array;
  const buffer = make(8 + data.length * bytesPerElement(t.dtype));
  const Elements = data.constructor as new (
    buffer: ArrayBufferLike,
    at: number,
    length: number,
  ) => Float32Array;
  const copy = new Elements(buffer, 8, data.length);
  copy.set(data);
  return { ...t, data: copy as Float32Array<ArrayBuffer> };
}

describe.skipIf(!available)("host memory", () => {
  let backend: WebGpuBackend;
  beforeAll(async () => {
    backend = await webgpu({ allowFallbackAdapter: true }).load();
  });
  afterAll(() => backend.dispose());

  test.each(memories)("%s buffers as inputs and uploads", async (_, make) => {
    const plain = {
      ...makeCall({ lengths: [3, 7], sizes: [5, 3] }),
      mask: {
        dtype: "bool",
        shape: [3, 7],
        strides: [7, 1],
        offset: 0,
        data: Uint8Array.from({ length: 21 }, (_, i) => (i % 4 === 0 ? 0 : 7)),
      } as HostTensor,
    };
    const call: AttentionInputs<HostTensor> = {
      query: inMemory(plain.query, make),
      key: inMemory(plain.key, make),
      value: inMemory(plain.value, make),
      mask: inMemory(plain.mask, make),
    };
    const plan = await backend.plan(describeProblem(call));
    const key = await backend.upload(call.key);
    expect(toFloat64(await key.read())).toEqual(toFloat64(plain.key));
    for (const inputs of [call, { ...call, key }]) {
      const { output } = await plan.run(inputs);
      const host = "read" in output ? await (output as DeviceTensor).read() : output;
      expect(judge(plain, { output: host as HostTensor }).budgets).toBeLessThanOrEqual(1);
    }
    key.dispose();
    plan.dispose();
  });

  test.each([
    ["is detached", (buffer: Resizable) => structuredClone(buffer, { transfer: [buffer] })],
    ["shrinks", (buffer: Resizable) => buffer.resize(12)],
  ])("memory that %s during a call is an InvalidInputError that names it", async (_, change) => {
    const call = makeCall({ lengths: [3, 7] });
    const plan = await backend.plan(describeProblem(call));
    for (const name of ["query", "key", "value"] as const) {
      const make = (bytes: number) => new ResizableBuffer(bytes, { maxByteLength: bytes });
      const moved = inMemory(call[name], make);
      const running = plan.run({ ...call, [name]: moved });
      change(moved.data.buffer as Resizable);
      const error: unknown = await running.catch((reason) => reason);
      expect(error).toBeInstanceOf(InvalidInputError);
      expect(error).toMatchObject({ argument: name });
    }
    // Nothing of the failed calls is left behind.
    const { output } = await plan.run(call);
    expect(judge(call, { output: output as HostTensor }).budgets).toBeLessThanOrEqual(1);
    plan.dispose();
  });
});
