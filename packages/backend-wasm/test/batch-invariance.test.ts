import { Random } from "@heed/conformance";
import {
  type AttentionInputs,
  describeProblem,
  type HostTensor,
  slice,
  toFloat64,
} from "@heed/core";
import { describe, expect, test } from "vitest";
import { loadWasm } from "../src/load.js";
import { backendOver, loadThreads } from "./backends.js";

type Call = AttentionInputs<HostTensor>;

/** Every problem is shared and its keys would be split, however small it is. */
const shareAll = { sharedWork: 0, leastSplitKeys: 8 };
const one = await backendOver(await loadWasm({ threads: 1, batchInvariant: true }));
const baseline = await backendOver(
  await loadWasm({ threads: 1, batchInvariant: true, simd: "baseline" }),
);
const three = await backendOver(await loadThreads({ threads: 3, batchInvariant: true }), shareAll);

const heads = 2;
const rows = 300;
const keys = 700;
const size = 20;

async function run(backend: typeof one, call: Call): Promise<Float64Array> {
  const { output } = await (await backend.plan(describeProblem(call))).run(call);
  return toFloat64(output as HostTensor);
}

/** `call` for query rows `from ≤ i < to` alone. */
function some(call: Call, from: number, to: number): Call {
  const part = (t: HostTensor | undefined) => t && slice(t, 2, from, to);
  return {
    ...call,
    query: slice(call.query, 2, from, to),
    queryOffset: (call.queryOffset as number) + from,
    mask: part(call.mask),
    bias: part(call.bias),
  };
}

const random = new Random("batch invariance");
const poisoned = random.tensor([1, heads, keys, size], "float32");
// A hidden value that is NaN sends a tile another way.
for (let h = 0; h < heads; h++) poisoned.data[(h * keys + 350) * size + 3] = Number.NaN;
const plain: Call = {
  query: random.tensor([1, heads, rows, size], "float32"),
  key: random.tensor([1, heads, keys, size], "float32"),
  value: random.tensor([1, heads, keys, size], "float32"),
  queryOffset: 300,
};
const calls: [string, Call][] = [
  ["all keys", plain],
  ["causal", { ...plain, causal: true }],
  ["a window", { ...plain, window: { left: 170, right: 9 } }],
  ["ALiBi", { ...plain, causal: true, alibiSlopes: [0.5, 0.25] }],
  ["a bias", { ...plain, bias: random.tensor([1, heads, rows, keys], "float32") }],
  ["a mask", { ...plain, mask: random.mask([1, heads, rows, keys], 0.7) }],
  [
    "a value of NaN that some rows do not see",
    { ...plain, value: poisoned, causal: true, window: { left: 200 }, queryOffset: 200 },
  ],
];

describe.each([
  ["the best build", one],
  ["baseline SIMD", baseline],
  ["three threads", three],
])("%s", (_, backend) => {
  test.each(calls)("%s: a row has the same bits whatever rows are beside it", async (_, call) => {
    const all = await run(backend, call);
    const rowOf = (h: number, i: number) =>
      all.subarray((h * rows + i) * size, (h * rows + i + 1) * size);
    const counts = [1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 64, 127, 128, 129, 130];
    for (const [at, count] of counts.entries()) {
      for (const from of [0, (37 * at) % (rows - count), rows - count]) {
        const part = await run(backend, some(call, from, from + count));
        for (let h = 0; h < heads; h++) {
          for (let i = 0; i < count; i++) {
            const start = (h * count + i) * size;
            expect(part.subarray(start, start + size), `${count} rows from ${from}`).toEqual(
              rowOf(h, from + i),
            );
          }
        }
      }
    }
  });
});

test("nor do heads, batch entries, a group's other heads or the build's threads matter", async () => {
  const [batch, group] = [3, 4];
  const call: Call = {
    query: random.tensor([batch, heads * group, 5, size], "float32"),
    key: random.tensor([batch, heads, keys, size], "float32"),
    value: random.tensor([batch, heads, keys, size], "float32"),
    kvLengths: [700, 31, 699],
  };
  const all = await run(one, call);
  expect(await run(three, call)).toEqual(all);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads * group; h++) {
      const g = Math.floor(h / group);
      const pick = (t: HostTensor, at: number) => slice(slice(t, 0, b, b + 1), 1, at, at + 1);
      const alone = await run(one, {
        query: pick(call.query, h),
        key: pick(call.key, g),
        value: pick(call.value, g),
        kvLengths: [(call.kvLengths as number[])[b] as number],
      });
      const start = (b * heads * group + h) * 5 * size;
      expect(alone).toEqual(all.subarray(start, start + 5 * size));
    }
  }
});

test("it is an option: by default, few rows take a kernel of their own", async () => {
  const call = some(plain, 0, 1);
  const fast = await backendOver(await loadWasm({ threads: 1 }));
  const kernel = async (backend: typeof one) =>
    (await backend.plan(describeProblem(call))).description.kernel;
  expect(await kernel(fast)).not.toBe(await kernel(one));
  expect(one.info.notes).toContain("batch-invariant: asked for");
});
