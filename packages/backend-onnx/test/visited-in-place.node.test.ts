/** Runs of visited blocks that copy no queries, keys, values or outputs, and those that gather blocks. */
import { describeProblem, type HostTensor, slice, tensor } from "@heed/core";
import * as p from "@heed/core/program";
import { expect, test } from "vitest";
import { asGiven } from "../src/attention/tiles/results.js";
import type { RuntimeTensor } from "../src/runtime/runtime.js";
import { expectAsReference, Numbers } from "./call-of.js";
import type { Call } from "./tile-calls.js";
import { watched } from "./watched.js";

const [heads, length, size, block] = [2, 1024, 64, 64];
const count = length / block;
const keysAndValues = heads * length * size;

const memoryOf = (t: { readonly data: unknown } | undefined): ArrayBufferLike | undefined =>
  (t?.data as Float32Array | undefined)?.buffer;

const provider = await watched(({ query, key, value, pageOfHead }) => ({
  query: memoryOf(query),
  key: memoryOf(key),
  value: memoryOf(value),
  given: key?.size,
  entries: query?.dims[0],
  rows: query?.dims[2],
  blocks: pageOfHead?.dims,
}));

/** Blocks of each head that a rule leaves. */
function blocksBy(rule: (head: number, row: number, column: number) => boolean): Call["blockMask"] {
  const mask = Array.from({ length: heads * count * count }, (_, n) =>
    rule(Math.floor(n / count ** 2), Math.floor(n / count) % count, n % count),
  );
  return { mask: tensor(mask, [1, heads, count, count]), queryBlock: block, keyBlock: block };
}

const numbers = new Numbers(41);
const heldApart = (): HostTensor =>
  slice(numbers.tensor(1, heads, length, size + 3), 3, 0, size) as HostTensor;

function callWith(blockMask: Call["blockMask"], more: Partial<Call> = {}): Call {
  const of = () => numbers.tensor(1, heads, length, size);
  return { query: of(), key: of(), value: of(), blockMask, ...more };
}

async function runsOf(call: Call) {
  const plan = await provider.backend.plan(describeProblem(call));
  provider.runs.length = 0;
  expectAsReference(await plan.run(call), call);
  plan.dispose();
  return [...provider.runs];
}

/** The first and the last block see every key, the others themselves. */
const global = blocksBy((_, row, column) => row % (count - 1) === 0 || row === column);

test("rows that see every key are one entry of each head, which reads keys and values in place", async () => {
  const call = callWith(global);
  const runs = await runsOf(call);
  const whole = runs.filter(({ rows }) => rows === 2 * block);
  expect(whole).toHaveLength(heads);
  for (const { key, value, given, entries, blocks } of whole) {
    expect([entries, given, blocks]).toEqual([1, keysAndValues / heads, undefined]);
    expect(key).toBe(memoryOf(call.key));
    expect(value).toBe(memoryOf(call.value));
  }
});

test("graphs gather blocks of keys and values, and read queries where they are", async () => {
  const call = callWith(blocksBy((head, row, column) => column === (5 * row + head) % count));
  const [run, ...others] = await runsOf(call);
  expect(others).toEqual([]);
  expect([run?.entries, run?.blocks]).toEqual([heads * count, [heads * count, 1, 1]]);
  for (const name of ["query", "key", "value"] as const) {
    expect(run?.[name]).toBe(memoryOf(call[name]));
  }
});

test.each<[string, () => Call]>([
  ["lie apart", () => callWith(global, { key: heldApart(), value: heldApart() })],
  [
    "are in shared memory",
    () => {
      const shared = (): HostTensor => {
        const data = new Float32Array(new SharedArrayBuffer(4 * keysAndValues));
        data.set(numbers.tensor(1, heads, length, size).data as Float32Array);
        return tensor(data, [1, heads, length, size]);
      };
      return callWith(global, { key: shared(), value: shared() });
    },
  ],
  [
    "are visited in blocks of few",
    () => {
      const few = p.maskMod(({ queryIndex, keyIndex }) =>
        p.lessEqual(p.abs(p.subtract(queryIndex, keyIndex)), 3),
      );
      const sizes = { queryLength: length, keyLength: length, queryBlock: 64, keyBlock: 8 };
      return callWith(undefined, { maskMod: few, blockMask: p.createBlockMask(few, sizes) });
    },
  ],
])("keys and values that %s are gathered by the host", async (_, of) => {
  const runs = await runsOf(of());
  expect(runs.length).toBeGreaterThan(0);
  for (const { blocks } of runs) expect(blocks).toBeUndefined();
});

test("rows of one head that are far apart and see the same keys, of which a program hides some", async () => {
  const odd = p.maskMod(({ queryIndex, keyIndex }) =>
    p.notEqual(p.remainder(p.subtract(keyIndex, queryIndex), 3), 1),
  );
  const like = blocksBy((head, row, column) => column === head + (row % 2) * 5);
  const positions = tensor(
    Int32Array.from({ length }, (_, n) => 2 * n),
    [1, length],
  );
  const rest: Partial<Call>[] = [
    { maskMod: odd },
    { maskMod: odd, causal: true, queryOffset: 512, kvLengths: [350] },
    { bias: numbers.tensor(1, heads, length, length) },
    {
      mask: tensor(
        [...Array(length).keys()].map((n) => n % 5 !== 0),
        [1, 1, length, 1],
      ),
    },
    { alibiSlopes: [0.01, 0.005], queryPositions: positions, keyPositions: positions },
    { returns: { logSumExp: true } },
  ];
  for (const more of rest) {
    const runs = await runsOf(callWith(like, more));
    expect(Math.max(...runs.map(({ rows = 0 }) => rows))).toBeGreaterThan(block);
  }
});

test("copies of outputs that a run has written in place are left out, and their memory is given back", () => {
  const made = (...data: number[]): RuntimeTensor => ({
    type: "float32",
    dims: [data.length],
    data: Float32Array.from(data),
    location: "cpu",
    dispose: () => {},
  });
  const [output, copy, leakSum] = [made(1, 2), made(1, 2), made(0)];
  const results = asGiven({ output: copy, leakSum }, { output, leakSum: null });
  expect(results.output).toBe(output);
  expect(results.leakSum).toBe(leakSum);
  expect([output, leakSum].map((t) => memoryOf(t)?.byteLength)).toEqual([8, 4]);
  expect(memoryOf(copy)?.byteLength).toBe("transfer" in ArrayBuffer.prototype ? 0 : 8);
  expect(asGiven({ output }, { output }).output?.data).toEqual(Float32Array.of(1, 2));
});
