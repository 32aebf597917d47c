/** Tensors in the memory of provider webgpu, and views of them. */
import { onnx, onnxTensor } from "@heed/backend-onnx";
import { judge } from "@heed/conformance";
import {
  type Attention,
  type AttentionInputs,
  createAttention,
  type DeviceTensor,
  type HostTensor,
  isDeviceTensor,
  mergeHeads,
  reshape,
  slice,
  splitHeads,
  type Tensor,
  tensor,
  toFloat64,
  transpose,
} from "@heed/core";
import { afterAll, beforeAll, expect, test } from "vitest";

const adapter = await navigator.gpu?.requestAdapter();

let attention: Attention;
const tensors: DeviceTensor[] = [];

/** A tensor that is disposed in the end. */
function kept<T extends Tensor>(t: T): DeviceTensor {
  tensors.push(t as DeviceTensor);
  return t as DeviceTensor;
}

const upload = async (t: HostTensor): Promise<DeviceTensor> => kept(await attention.upload(t));

beforeAll(async () => {
  if (adapter) attention = await createAttention({ backends: [onnx({ provider: "webgpu" })] });
});
afterAll(async () => {
  for (const t of tensors) t.dispose();
  await attention?.dispose();
});

/** Numbers between −1 and 1. */
function numbers(shape: readonly number[], seed: number): HostTensor {
  const count = shape.reduce((product, size) => product * size, 1);
  return tensor(
    Float32Array.from({ length: count }, (_, i) => Math.sin(seed + i * 1.7)),
    shape,
  );
}

async function passes(
  call: AttentionInputs<HostTensor>,
  onDevice: AttentionInputs,
): Promise<HostTensor> {
  const { output } = await attention.run({ ...call, ...onDevice });
  expect(isDeviceTensor(output)).toBe(true);
  const read = await (output as DeviceTensor).read();
  const verdict = judge(call, { output: read });
  expect(verdict.violations).toEqual([]);
  expect(verdict.budgets).toBeLessThanOrEqual(1);
  (output as DeviceTensor).dispose();
  return read;
}

test.skipIf(!adapter)(
  "heads of packed projections, parts of caches and of masks are read on the device",
  async () => {
    // [batch, length, (query, key and value) · heads · size], as one projection gives it.
    const projected = numbers([2, 6, 3 * 2 * 8], 1);
    const masks = tensor(
      Uint8Array.from({ length: 7 * 9 }, (_, i) => (i % 3 === 0 ? 0 : 1)),
      [7, 9],
      { dtype: "bool" },
    );
    /** The parts, each made from another view, which is given to `through`. */
    const parts = <T extends Tensor>(whole: T, mask: T, through: (t: T) => T) => {
      const part = (start: number) => through(slice(whole, 2, start, start + 16) as unknown as T);
      return {
        query: splitHeads(part(0), 2),
        key: splitHeads(part(16), 2),
        value: splitHeads(part(32), 2),
        mask: slice(through(slice(mask, 0, 1) as unknown as T), 1, 2, 8),
      };
    };
    const call = parts<HostTensor>(projected, masks, (t) => t);
    const views = parts<DeviceTensor>(await upload(projected), await upload(masks), kept);
    for (const t of Object.values(views)) kept(t);
    // The memory lives as long as the last view of it.
    for (const t of tensors) if (!Object.values(views).includes(t)) t.dispose();
    await passes(call as AttentionInputs<HostTensor>, views as AttentionInputs);
  },
);

test.skipIf(!adapter)("axes in another order are read where they lie", async () => {
  const [query, key, value] = [1, 2, 3].map((seed) => numbers([1, 5, 2, 8], seed)) as [
    HostTensor,
    HostTensor,
    HostTensor,
  ];
  const swapped = <T extends Tensor>(t: T) => transpose(t, [0, 2, 1, 3]);
  const call = { query: swapped(query), key: swapped(key), value: swapped(value) };
  const uploaded = await Promise.all([query, key, value].map(upload));
  const [q, k, v] = uploaded.map((t) => kept(swapped(t))) as [
    DeviceTensor,
    DeviceTensor,
    DeviceTensor,
  ];
  const read = await passes(call, { query: q, key: k, value: v });
  // With one head, a result's heads merge without a copy, and its rows can be taken apart.
  const head = (t: DeviceTensor) => kept(slice(t, 1, 0, 1));
  const { output } = await attention.run({ query: head(q), key: head(k), value: head(v) });
  const rows = kept(reshape(kept(mergeHeads(kept(output))), [5, 8]));
  expect(toFloat64(await rows.read())).toEqual(toFloat64(slice(read, 1, 0, 1)));
});

test.skipIf(!adapter)(
  "an allocated cache is zeros, and a wrapped buffer is read from its offset",
  async () => {
    const call = {
      query: numbers([1, 2, 1, 8], 1),
      key: numbers([1, 2, 9, 8], 2),
      value: numbers([1, 2, 9, 8], 3),
    };
    const zeros = kept(attention.allocate("float32", [1, 2, 9, 8]));
    const { output } = await attention.run({ ...call, value: zeros });
    expect(toFloat64(await kept(output).read())).toEqual(new Float64Array(16));
    const both = await upload(
      tensor(
        Float32Array.from([...toFloat64(call.key), ...toFloat64(call.value)]),
        [2, 1, 2, 9, 8],
      ),
    );
    const { buffer } = both as DeviceTensor & { readonly buffer: GPUBuffer };
    const value = kept(onnxTensor(buffer, [1, 2, 9, 8], { dtype: "float32", offset: 144 }));
    await passes(call, { ...call, value });
  },
);
