import { Random } from "@heed/conformance";
import {
  type AttentionInputs,
  describeProblem,
  type HostTensor,
  isDeviceTensor,
  tensor,
} from "@heed/core";
import { slidingWindow } from "@heed/core/masks";
import { createBlockMask } from "@heed/core/program";
import { expect, test } from "vitest";
import { loadWasm } from "../src/load.js";
import { backendOver } from "./backends.js";

type Call = AttentionInputs<HostTensor>;

const wasm = await loadWasm({ threads: 1 });
const backend = await backendOver(wasm);
const random = new Random("host keys");

const [heads, kvHeads, headDim, valueDim] = [4, 2, 16, 24];
const floats = (...shape: number[]) => random.tensor(shape, "float32");

/** Bytes that a float32 key and its value have, in all heads. */
const bytesOfKey = 4 * kvHeads * (headDim + valueDim);

function rows(entries: number, length: number): Pick<Call, "key" | "value"> {
  return {
    key: floats(entries, kvHeads, length, headDim),
    value: floats(entries, kvHeads, length, valueDim),
  };
}

function quantised(
  entries: number,
  length: number,
): Pick<Call, "key" | "value" | "keyScales" | "valueScales"> {
  const int8 = (columns: number): HostTensor => {
    const shape = [entries, kvHeads, length, columns];
    const data = Int8Array.from(
      { length: shape.reduce((a, b) => a * b) },
      (_, i) => (i * 37) % 127,
    );
    return tensor(data, shape, { dtype: "int8" });
  };
  const scales = () => floats(entries, kvHeads, length);
  return { key: int8(headDim), value: int8(valueDim), keyScales: scales(), valueScales: scales() };
}

const step = { query: floats(1, heads, 1, headDim), causal: true } as const;
const two = { query: floats(2, heads, 3, headDim), causal: true } as const;
const end = { queryOffset: "bottom-right" } as const;
const window = { left: 19 };
const table = (pages: readonly number[], sequences: number) =>
  tensor(Int32Array.from(pages), [sequences, pages.length / sequences], { dtype: "int32" });
const near = slidingWindow({ left: 19, right: 0 });
const shared = ({ key, value }: Pick<Call, "key" | "value">): Pick<Call, "key" | "value"> => {
  const twice = (t: HostTensor): HostTensor => ({
    ...t,
    shape: [2, ...t.shape.slice(1)],
    strides: [0, ...t.strides.slice(1)],
  });
  return { key: twice(key), value: twice(value) };
};

/** Calls with a cache of 400 tokens or so in host memory, and the bytes of keys and values that rows see. */
const cases: Readonly<Record<string, readonly [call: Call, bytes: number]>> = {
  "all keys": [{ ...step, ...rows(1, 400), queryOffset: 399 }, 400 * bytesOfKey],
  "a window": [{ ...step, ...rows(1, 400), queryOffset: 399, window }, 20 * bytesOfKey],
  "a window within lengths": [
    { ...step, ...rows(1, 400), ...end, kvLengths: [300], window },
    20 * bytesOfKey,
  ],
  "a window that ends after the row": [
    { ...step, ...rows(1, 400), causal: false, queryOffset: 200, window: { left: 19, right: 5 } },
    25 * bytesOfKey,
  ],
  "int8 in a window": [
    { ...step, ...quantised(1, 400), queryOffset: 399, window },
    20 * kvHeads * (headDim + valueDim + 8),
  ],
  "batch entries at the same position": [
    { ...two, ...rows(2, 400), queryOffset: 300, window },
    2 * 22 * bytesOfKey,
  ],
  "batch entries of other lengths": [
    { ...two, ...rows(2, 400), ...end, kvLengths: [30, 350], window },
    2 * 22 * bytesOfKey,
  ],
  "batch entries of other lengths without a window": [
    { ...two, ...rows(2, 400), ...end, kvLengths: [30, 350] },
    380 * bytesOfKey,
  ],
  "an empty batch entry": [
    { ...two, ...rows(2, 400), ...end, kvLengths: [0, 350], window },
    22 * bytesOfKey,
  ],
  "batch entries that share their keys": [
    { ...two, ...shared(rows(1, 400)), ...end, kvLengths: [320, 350], window },
    52 * bytesOfKey,
  ],
  "queries at positions of their own": [
    {
      ...two,
      ...rows(2, 400),
      queryPositions: tensor(Int32Array.from([50, 40, 45, 399, 380, 390]), [2, 3], {
        dtype: "int32",
      }),
      window,
    },
    (30 + 39) * bytesOfKey,
  ],
  pages: [
    {
      ...step,
      ...rows(30, 16),
      ...end,
      pageTable: table([3, 29, 4, 11, 17, 5, 8, -1], 1),
      kvLengths: [100],
      window,
    },
    2 * 16 * bytesOfKey,
  ],
  "pages that sequences share": [
    {
      ...two,
      ...rows(30, 16),
      ...end,
      pageTable: table([3, 29, 4, 11, 3, 29, 4, 2], 2),
      kvLengths: [40, 62],
      window,
    },
    // Keys 18 to 39 lie in the pages 29 and 4; keys 40 to 61 in 4 and 2.
    3 * 16 * bytesOfKey,
  ],
  "a ragged batch": [
    {
      query: floats(1, heads, 5, headDim),
      ...rows(1, 400),
      causal: true,
      queryStarts: [0, 1, 1, 5],
      keyStarts: [0, 150, 200, 400],
      ...end,
      window,
    },
    (20 + 0 + 23) * bytesOfKey,
  ],
  "a mask program": [
    { ...step, ...rows(1, 400), causal: false, queryOffset: 399, maskMod: near },
    // In tiles of 128, whose last begins at key 384, and the one before it.
    (400 - 256) * bytesOfKey,
  ],
  "a block mask": [
    {
      query: floats(1, heads, 70, headDim),
      ...rows(1, 400),
      queryOffset: 330,
      maskMod: near,
      blockMask: createBlockMask(near, {
        queryLength: 70,
        keyLength: 400,
        queryOffset: 330,
        queryBlock: 10,
        keyBlock: 10,
      }),
    },
    90 * bytesOfKey,
  ],
  "positions of keys": [
    {
      ...step,
      ...rows(1, 400),
      kvLengths: [300],
      queryPositions: tensor(Int32Array.from([299]), [1, 1], { dtype: "int32" }),
      keyPositions: tensor(
        Int32Array.from({ length: 400 }, (_, j) => j),
        [1, 400],
        { dtype: "int32" },
      ),
      window,
    },
    300 * bytesOfKey,
  ],
  "scores of hidden keys": [
    { ...step, ...rows(1, 400), queryOffset: 399, window, returns: { scores: "raw" } },
    400 * bytesOfKey,
  ],
};

async function allocated<T>(run: () => Promise<T>): Promise<{ bytes: number; result: T }> {
  const { memory } = wasm;
  const allocate = memory.allocate.bind(memory);
  let bytes = 0;
  memory.allocate = (count) => {
    bytes += count;
    return allocate(count);
  };
  try {
    return { result: await run(), bytes };
  } finally {
    memory.allocate = allocate;
  }
}

for (const [name, [call, bytes]] of Object.entries(cases)) {
  test(`of keys in host memory, those that rows see are copied: ${name}`, async () => {
    const plan = await backend.plan(describeProblem(call));
    const { key, value, keyScales, valueScales } = call;
    const device = {
      key: await backend.upload(key),
      value: await backend.upload(value),
      ...(keyScales && { keyScales: await backend.upload(keyScales) }),
      ...(valueScales && { valueScales: await backend.upload(valueScales) }),
    };
    const host = await allocated(() => plan.run(call));
    const resident = await allocated(() => plan.run({ ...call, ...device }));
    const copied = host.bytes - resident.bytes;
    expect(copied).toBeGreaterThanOrEqual(bytes);
    // The start of each sequence takes four bytes.
    expect(copied).toBeLessThanOrEqual(bytes + 4 * 3);
    for (const [output, t] of Object.entries(resident.result)) {
      const expected = isDeviceTensor(t) ? await t.read() : t;
      expect(host.result[output as "output"], output).toEqual(expected);
    }
    for (const t of Object.values(device)) t.dispose();
  });
}
