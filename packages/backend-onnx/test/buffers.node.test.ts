/** Elements in any kind of memory: shared, resizable, of another realm, or behind a polyfill. */
import { runInNewContext } from "node:vm";
import { onnx } from "@heed/backend-onnx";
import {
  type AttentionBackend,
  type AttentionInputs,
  describeProblem,
  float16BitsToNumber,
  type HostTensor,
  numberToFloat16Bits,
  type TypedArray,
  tensor,
  toFloat64,
} from "@heed/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { importRuntime } from "../src/runtime/import.js";
import { runtimeTensor } from "../src/runtime/native-data.js";

type Place = (bytes: Uint8Array) => ArrayBufferLike;

function filled<B extends ArrayBufferLike>(buffer: B, bytes: Uint8Array): B {
  new Uint8Array(buffer).set(bytes);
  return buffer;
}

/** The options of ES2024, which the types of ES2022 lack. */
type Sized<B> = new (length: number, options?: { maxByteLength: number }) => B;
const Resizable = ArrayBuffer as Sized<ArrayBuffer>;
const Growable = SharedArrayBuffer as Sized<SharedArrayBuffer>;

const places: readonly [string, Place][] = [
  ["shared memory", (bytes) => filled(new SharedArrayBuffer(bytes.length), bytes)],
  [
    "growable shared memory",
    (bytes) => filled(new Growable(bytes.length, { maxByteLength: 4 * bytes.length }), bytes),
  ],
  [
    "a resizable buffer",
    (bytes) => filled(new Resizable(bytes.length, { maxByteLength: 4 * bytes.length }), bytes),
  ],
];

const values = [1, 0, 0.5, 10, 20, 30];

describe.each(["cpu", "wasm"] as const)("%s", (provider) => {
  let backend: AttentionBackend;
  beforeAll(async () => {
    backend = await onnx({ provider, threads: 1 }).load();
  });
  afterAll(() => backend.dispose());

  async function run(inputs: AttentionInputs): Promise<number> {
    const plan = await backend.plan(describeProblem(inputs));
    const output = (await plan.run(inputs)).output as HostTensor;
    plan.dispose();
    return toFloat64(output)[0] as number;
  }

  /** Query 1, keys 0 and 0.5, values 10 and 20, and one more; hidden by a mask. */
  function call(
    of: (data: TypedArray) => TypedArray,
    dtype: "float32" | "float16",
  ): AttentionInputs {
    const data =
      dtype === "float32"
        ? Float32Array.from(values)
        : Uint16Array.from(values, numberToFloat16Bits);
    const placed = of(data);
    const view = (offset: number, length: number): HostTensor =>
      tensor(placed, [1, 1, length, 1], { dtype, offset, strides: [length, length, 1, 1] });
    const mask = tensor(of(Uint8Array.of(1, 1)), [2], { dtype: "bool" });
    return { query: view(0, 1), key: view(1, 2), value: view(3, 2), mask };
  }

  const expected = 10 + 10 / (1 + Math.exp(-0.5));

  test.each(places)("%s", async (_, place) => {
    const moved = (data: TypedArray): TypedArray => {
      const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
      const Same = data.constructor as new (buffer: ArrayBufferLike) => TypedArray;
      return new Same(place(bytes));
    };
    expect(await run(call(moved, "float32"))).toBeCloseTo(expected, 4);
    expect(await run(call(moved, "float16"))).toBeCloseTo(expected, 1);
  });

  test("a Float16Array that is a polyfill's proxy", async () => {
    const polyfilled = (data: TypedArray): TypedArray => {
      if (!(data instanceof Uint16Array)) return data;
      return new Proxy(data, {
        get: (bits, name) => {
          if (name === Symbol.toStringTag) return "Float16Array";
          if (typeof name === "string" && /^\d+$/.test(name)) {
            return float16BitsToNumber(bits[Number(name)] as number);
          }
          const member = Reflect.get(bits, name, bits);
          if (name === "subarray")
            return (from: number, to: number) => polyfilled(bits.subarray(from, to));
          return typeof member === "function" && name !== "constructor"
            ? member.bind(bits)
            : member;
        },
      }) as unknown as TypedArray;
    };
    expect(await run(call(polyfilled, "float16"))).toBeCloseTo(expected, 1);
  });

  test("arrays of another realm reach the runtime as its own", async () => {
    const runtime = await importRuntime(provider);
    const foreign = runInNewContext("Float32Array.of(1, 2, 3)") as Float32Array;
    expect(foreign).not.toBeInstanceOf(Float32Array);
    const made = runtimeTensor(runtime, "float32", foreign, [3]);
    expect(made.data).toEqual(Float32Array.of(1, 2, 3));
  });
});
