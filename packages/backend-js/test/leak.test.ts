import { js } from "@heed/backend-js";
import { Random } from "@heed/conformance";
import {
  type AttentionInputs,
  createAttention,
  type HostTensor,
  slice,
  toFloat64,
} from "@heed/core";
import { expect, test } from "vitest";

/** Rows that see a tile next to rows that do not share its registers: NaN must stay with the former. */
test.each([
  ["tiled", 40],
  ["stream", 5],
])("%s: a NaN that later rows see does not reach the rows before", async (_, length) => {
  const attention = await createAttention({ backends: [js()] });
  const random = new Random(7);
  const shape = [1, 2, length, 12];
  const [query, key, value] = [0, 1, 2].map(() => random.tensor(shape, "float32")) as [
    HostTensor,
    HostTensor,
    HostTensor,
  ];
  const call: AttentionInputs<HostTensor> = { query, key, value, causal: true };
  const clean = await attention.run(call);
  const spoil = (t: HostTensor): HostTensor => {
    const data = Float32Array.from(t.data);
    // The last key of each head: only the last row sees it.
    for (const h of [0, 1])
      data.fill(Number.NaN, ((h + 1) * length - 1) * 12, (h + 1) * length * 12);
    return { ...t, data };
  };
  const spoilt = await attention.run({ ...call, value: spoil(value) });
  const head = (t: HostTensor) => toFloat64(slice(t, 2, 0, length - 1));
  expect(head(spoilt.output)).toEqual(head(clean.output));
  expect(toFloat64(slice(spoilt.output, 2, length - 1)).every(Number.isNaN)).toBe(true);
  await attention.dispose();
});
