import { type HostTensor, slice, type TypedArray, transpose } from "@heed/core";
import { junk, pick, wrongInteger } from "./junk.js";
import type { Random } from "./random.js";

/** A way to spoil a tensor. */
export type Spoil = (t: HostTensor, random: Random) => unknown;

/** A copy of a list with one element, chosen at random, replaced. */
function replaceOne(list: readonly number[], random: Random, value: unknown): unknown[] {
  const copy: unknown[] = [...list];
  copy[Math.floor(random.uniform() * copy.length)] = value;
  return copy;
}

function detach(data: TypedArray): TypedArray {
  const copy = data.slice();
  structuredClone(copy.buffer, { transfer: [copy.buffer as ArrayBuffer] });
  return copy;
}

/** A typed array whose buffer has been resized to 0 bytes. */
function shrunk(data: TypedArray): TypedArray {
  const resizable = ArrayBuffer as unknown as new (
    bytes: number,
    options: { maxByteLength: number },
  ) => ArrayBuffer & { resize?: (bytes: number) => void };
  const buffer = new resizable(data.byteLength, { maxByteLength: data.byteLength });
  const array = new (data.constructor as new (buffer: ArrayBuffer) => TypedArray)(buffer);
  // Without resizable buffers, an array of length 0 serves instead.
  if (buffer.resize === undefined) return data.subarray(0, 0) as TypedArray;
  buffer.resize(0);
  return array;
}

/** Changes that make any tensor invalid, by the defect. Each needs a tensor of at least one element. */
export const spoilTensor: Readonly<Record<string, Spoil>> = {
  "is junk": (_, random) => pick(random, junk),
  "is its data": (t) => t.data,
  "has a junk dtype": (t, random) => ({ ...t, dtype: pick(random, junk) }),
  "has a dtype that its data cannot be": (t) => ({
    ...t,
    dtype: t.dtype === "int32" ? "bool" : "int32",
  }),
  "has a junk shape": (t, random) => ({ ...t, shape: pick(random, [null, 4, "4", {}, undefined]) }),
  "has a wrong size": (t, random) => ({
    ...t,
    shape: replaceOne(t.shape, random, wrongInteger(random)),
  }),
  "has a size past 2^31": (t, random) => ({ ...t, shape: replaceOne(t.shape, random, 2 ** 31) }),
  "has more elements than 2^31": (t) => ({ ...t, shape: t.shape.map(() => 65_536) }),
  "is larger than its data": (t, random) => ({
    ...t,
    strides: t.strides.map((stride) => stride + t.data.length),
    shape: replaceOne(t.shape, random, t.data.length + 2),
  }),
  "has five axes": (t) => ({
    ...t,
    shape: [1, 1, 1, 1, ...t.shape].slice(-5),
    strides: [0, 0, 0, 0, ...t.strides].slice(-5),
  }),
  "has no axes": (t) => ({ ...t, shape: [], strides: [] }),
  "has junk strides": (t, random) => ({ ...t, strides: pick(random, [null, 1, "1", {}]) }),
  "has a wrong stride": (t, random) => ({
    ...t,
    strides: replaceOne(t.strides, random, wrongInteger(random)),
  }),
  "has too few strides": (t) => ({ ...t, strides: t.strides.slice(1) }),
  "has too many strides": (t) => ({ ...t, strides: [1, ...t.strides] }),
  "has a wrong offset": (t, random) => ({ ...t, offset: wrongInteger(random) }),
  "starts past its data": (t) => ({ ...t, offset: t.data.length }),
  "has junk for data": (t, random) => ({ ...t, data: pick(random, junk) }),
  "has a plain array for data": (t) => ({ ...t, data: Array.from(t.data) }),
  "has the bytes of its data": (t) => ({
    ...t,
    dtype: "float32",
    data: new Int8Array(t.data.buffer, t.data.byteOffset, t.data.byteLength),
  }),
  "has data that is too short": (t) => ({ ...t, offset: 0, data: t.data.subarray(0, 0) }),
  "has a detached buffer": (t) => ({ ...t, data: detach(t.data) }),
  "has a buffer that shrank": (t) => ({ ...t, data: shrunk(t.data) }),
  "is a disposed device tensor": (t) => ({
    backend: "nobody",
    dtype: t.dtype,
    shape: t.shape,
    disposed: true,
    read: async () => t,
    dispose: () => {},
  }),
  "is a device tensor of nobody": (t) => ({
    backend: "nobody",
    dtype: t.dtype,
    shape: t.shape,
    read: async () => t,
    dispose: () => {},
  }),
  "is a device tensor of junk": (t, random) => ({
    backend: "nobody",
    dtype: pick(random, junk),
    shape: pick(random, [null, [1.5], ["1"], {}]),
    read: async () => t,
    dispose: () => {},
  }),
};

/** Changes that make query, key or value inconsistent with the others. All sizes must be at least 2. */
export const spoilSizes: Readonly<Record<string, Spoil>> = {
  "has another batch size": (t) => slice(t, 0, 0, 1),
  "has another head size": (t) => slice(t, 3, 0, 1),
  "has heads where the length should be": (t) => transpose(t, [0, 2, 1, 3]),
  "has three axes": (t) => ({ ...t, shape: t.shape.slice(1), strides: t.strides.slice(1) }),
  "has no head size": (t) => slice(t, 3, 0, 0),
};
