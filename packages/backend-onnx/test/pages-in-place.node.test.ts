/** Pages of the provider cpu: read where they are, where a sequence has its part of the pool to itself, or gathered in parts. */
import {
  type AttentionInputs,
  cast,
  contiguous,
  describeProblem,
  type HostTensor,
  slice,
  tensor,
  transpose,
} from "@heed/core";
import { describe, expect, test } from "vitest";
import { expectAsReference, Numbers, withStored } from "./call-of.js";
import { watched } from "./watched.js";

type Call = AttentionInputs<HostTensor>;

/** How a run gets its pages. */
const ways = () =>
  watched(({ key, partPages, rangeStart }) => {
    if (partPages) return `${partPages.dims[0]} parts`;
    if (rangeStart) return "cut";
    return key?.dims.length === 4 ? "in place" : "gathered";
  });

const [heads, kvHeads, headDim, valueDim] = [6, 2, 16, 8];

/**
 * Two sequences of up to 20 keys more than `keys` fills.
 *
 * @param order `"fresh"`: pages one after another; `"permuted"`: each sequence's in any order; `"mixed"`: those of both in turns
 */
function pagedCall(
  numbers: Numbers,
  size: number,
  keys: number,
  order: "fresh" | "permuted" | "mixed",
): Call {
  const perSequence = Math.ceil((keys + 20) / size);
  const pool = 2 * perSequence;
  const table = new Int32Array(pool).fill(-1);
  for (let s = 0; s < 2; s++) {
    const pages = Array.from({ length: perSequence }, (_, n) =>
      order === "mixed" ? 2 * n + s : s * perSequence + n,
    );
    if (order === "permuted") pages.sort((a, b) => ((a * 7) % pool) - ((b * 7) % pool));
    const used = Math.ceil((keys + s) / size);
    for (let n = 0; n < used; n++) table[s * perSequence + n] = pages[n] as number;
  }
  return {
    query: numbers.tensor(2, heads, 1, headDim),
    key: numbers.tensor(pool, kvHeads, size, headDim),
    value: numbers.tensor(pool, kvHeads, size, valueDim),
    pageTable: tensor(table, [2, perSequence]),
    kvLengths: [keys, keys + 1],
    queryOffset: "bottom-right",
    causal: true,
  };
}

/** The same call, keys, values and scales of whose pages lie head by head. */
function byHead(call: Call): Call {
  const turned = (t: HostTensor): HostTensor => {
    const axes = [1, 0, 2, 3].slice(0, t.shape.length);
    return transpose(contiguous(transpose(t, axes)), axes);
  };
  const { keyScales, valueScales } = call;
  return {
    ...call,
    key: turned(call.key),
    value: turned(call.value),
    ...(keyScales && { keyScales: turned(keyScales) }),
    ...(valueScales && { valueScales: turned(valueScales) }),
  };
}

/** The first sequence alone, with a pool of its own pages and of `others` behind them. */
function alone(call: Call, others: number): Call {
  const { data, shape } = call.pageTable as HostTensor<"int32">;
  const [perSequence, size] = [shape[1] as number, call.key.shape[2] as number];
  const pages = perSequence + others;
  const table = (data as Int32Array).slice(0, perSequence);
  const most = Math.max(...table);
  const numbers = new Numbers(size);
  return {
    ...call,
    query: numbers.tensor(1, heads, 1, headDim),
    key: numbers.tensor(pages, kvHeads, size, headDim),
    value: numbers.tensor(pages, kvHeads, size, valueDim),
    pageTable: tensor(
      table.map((page) => (page < 0 ? page : most - page)),
      [1, perSequence],
    ),
    kvLengths: [(call.kvLengths as number[])[0] as number],
  };
}

async function computed(plans: Awaited<ReturnType<typeof ways>>, call: Call): Promise<void> {
  const plan = await plans.backend.plan(describeProblem(call));
  expectAsReference(await plan.run(call), call);
  plan.dispose();
}

test.each([
  [16, "fresh"],
  [16, "permuted"],
  [64, "fresh"],
  [64, "permuted"],
] as const)("pages of %i, %s, are read where they are", async (size, order) => {
  const plans = await ways();
  const numbers = new Numbers(size);
  const call = pagedCall(numbers, size, 1003, order);
  const hidden = tensor(
    Array.from({ length: 2 * heads }, (_, n) => n % 5 !== 0),
    [2, heads, 1, 1],
  );
  for (const more of [
    {},
    { window: { left: 950 } },
    { causal: false },
    { sinks: Float32Array.from({ length: heads }, () => numbers.next()) },
    { softcap: 0.5, scale: 2 },
    { softcap: 0.5, scale: 2, returns: { logSumExp: true } },
    { mask: hidden, bias: numbers.tensor(1, heads, 1, 1) },
    // Several rows that see the same keys.
    { causal: false, query: numbers.tensor(2, heads, 3, headDim), kvLengths: [990, 1000] },
    { queryOffset: [980, 990] },
  ] satisfies Partial<Call>[]) {
    await computed(plans, { ...call, ...more });
  }
  expect(new Set(plans.runs)).toEqual(new Set(["in place"]));
  await plans.backend.dispose();
});

test("a decode loop over pages that are read where they are", async () => {
  const plans = await ways();
  const call = pagedCall(new Numbers(3), 16, 2200, "fresh");
  const plan = await plans.backend.plan(describeProblem(call));
  for (const length of [256, 257, 700, 1023, 1024, 1025, 2100, 2200]) {
    const step = { ...call, kvLengths: [length, length + 1] };
    expectAsReference(await plan.run(step), step);
  }
  expect(plans.runs.filter((way) => way === "in place").length).toBeGreaterThanOrEqual(6);
  await plans.backend.dispose();
});

test("few of the pages of a range are gathered", async () => {
  const plans = await ways();
  const call = pagedCall(new Numbers(4), 16, 1003, "permuted");
  await computed(plans, { ...call, window: { left: 500 } });
  await computed(plans, { ...call, kvLengths: [300, 400] });
  expect(plans.runs).not.toContain("in place");
  await plans.backend.dispose();
});

test.each(["key", "value"] as const)("NaN in a %s that nobody's page has", async (name) => {
  const plans = await ways();
  const call = pagedCall(new Numbers(5), 16, 1003, "permuted");
  const used = new Set((call.pageTable as HostTensor).data as Int32Array);
  const t = call[name];
  const size = (t.data.length / (t.shape[0] as number)) | 0;
  for (let page = 0; page < (t.shape[0] as number); page++) {
    if (!used.has(page)) (t.data as Float32Array).fill(Number.NaN, page * size, (page + 1) * size);
  }
  await computed(plans, call);
  expect(plans.runs[0]).toBe("in place");
  expect(plans.runs.at(-1)).not.toBe("in place");
  await plans.backend.dispose();
});

test("rows at different keys, and rules of single keys, take gathered pages", async () => {
  const plans = await ways();
  const numbers = new Numbers(7);
  const call = pagedCall(numbers, 16, 1003, "permuted");
  const keys = (call.pageTable?.shape[1] as number) * 16;
  for (const more of [
    { query: numbers.tensor(2, heads, 3, headDim) },
    { bias: numbers.tensor(2, 1, 1, keys) },
    { alibiSlopes: Float32Array.from({ length: heads }, () => numbers.next()) },
  ] satisfies Partial<Call>[]) {
    await computed(plans, { ...call, ...more });
  }
  expect(plans.runs).not.toContain("in place");
  await plans.backend.dispose();
});

test.each(["float32", "float16", "int8"] as const)(
  "pages of two sequences in turns, %s, are gathered in parts",
  async (dtype) => {
    const plans = await ways();
    const numbers = new Numbers(11);
    const call = withStored(pagedCall(numbers, 16, 5003, "mixed"), dtype);
    const wide = Math.ceil((5003 + 20) / 16) * 16;
    for (const more of [
      {},
      { window: { left: 4000 } },
      { bias: numbers.tensor(2, heads, 1, wide), returns: { logSumExp: true } },
      { sinks: Float32Array.from({ length: heads }, () => numbers.next()) },
      // With more rows, int8 is converted as a whole.
      { query: numbers.tensor(2, heads, dtype === "int8" ? 1 : 2, headDim), softcap: 1.5 },
    ] satisfies Partial<Call>[]) {
      await computed(plans, { ...call, ...more });
      await computed(plans, byHead({ ...call, ...more }));
    }
    expect(new Set(plans.runs.map((way) => way.replace(/\d+/, "")))).toEqual(new Set([" parts"]));
    await plans.backend.dispose();
  },
);

test("float16 queries, keys and values in pages, and NaN in what is hidden", async () => {
  const plans = await ways();
  const call = pagedCall(new Numbers(13), 16, 5003, "mixed");
  for (const t of [call.key, call.value]) {
    // The last key of the second sequence's last page does not exist.
    (t.data as Float32Array).fill(Number.NaN, t.data.length - (t.shape[3] as number));
  }
  const narrow = {
    ...call,
    query: cast(call.query, "float16"),
    key: cast(call.key, "float16"),
    value: cast(call.value, "float16"),
  };
  await computed(plans, narrow);
  await computed(plans, call);
  await plans.backend.dispose();
});

describe.each(["float32", "float16", "int8"] as const)("pages head by head, %s", (dtype) => {
  test.each([
    [16, "fresh"],
    [16, "permuted"],
    [64, "fresh"],
  ] as const)("of %i, %s: those of one sequence are a batch entry", async (size, order) => {
    const plans = await ways();
    const numbers = new Numbers(size);
    const call = byHead(withStored(alone(pagedCall(numbers, size, 1003, order), 5), dtype));
    for (const more of [
      {},
      { window: { left: 950 } },
      { causal: false, query: numbers.tensor(1, heads, 3, headDim), kvLengths: [990] },
      { sinks: Float32Array.from({ length: heads }, () => numbers.next()) },
      { softcap: 0.5, scale: 2, returns: { logSumExp: true } },
      { mask: tensor([true, false, true, true, true, true], [1, heads, 1, 1]) },
    ] satisfies Partial<Call>[]) {
      await computed(plans, { ...call, ...more });
    }
    expect(new Set(plans.runs)).toEqual(new Set(["in place"]));
    await plans.backend.dispose();
  });

  test("ranges of a pool are cut", async () => {
    const plans = await ways();
    const two = byHead(withStored(pagedCall(new Numbers(5), 16, 1003, "fresh"), dtype));
    const one = byHead(withStored(alone(pagedCall(new Numbers(6), 16, 1003, "fresh"), 90), dtype));
    await computed(plans, two);
    await computed(plans, { ...two, kvLengths: [700, 1001] });
    for (const length of [60, 500, 1003]) await computed(plans, { ...one, kvLengths: [length] });
    expect(new Set(plans.runs)).toEqual(new Set(["cut"]));
    await plans.backend.dispose();
  });
});

test("NaN in pages head by head that nobody has, and pages of a single head", async () => {
  const plans = await ways();
  const call = alone(pagedCall(new Numbers(15), 16, 1003, "permuted"), 5);
  const { data, shape } = call.value;
  const own = (call.pageTable?.shape[1] as number) * (data.length / (shape[0] as number));
  (data as Float32Array).fill(Number.NaN, own);
  await computed(plans, byHead(call));
  expect(plans.runs).toHaveLength(2);
  expect(plans.runs[0]).toBe("in place");
  expect(plans.runs[1]).not.toBe("in place");
  const single = (t: HostTensor): HostTensor => contiguous(slice(t, 1, 0, 1));
  const { query } = call;
  await computed(plans, {
    ...call,
    query: slice(query, 1, 0, 3),
    key: single(call.key),
    value: single(call.value),
  });
  await plans.backend.dispose();
});
