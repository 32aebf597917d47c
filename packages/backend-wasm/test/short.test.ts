import { Random } from "@heed/conformance";
import {
  type AttentionInputs,
  describeProblem,
  type HostTensor,
  referenceAttention,
  tensor,
  toFloat64,
} from "@heed/core";
import { describe, expect, test } from "vitest";
import { defaultLimits, planProblem } from "../src/attention/plan.js";
import { loadWasm } from "../src/load.js";
import { tileVariants } from "../src/tiles/variants.js";
import { backendOver } from "./backends.js";

type Call = AttentionInputs<HostTensor>;

const random = new Random("short");
const { build } = await loadWasm({ threads: 1 });
const builds = new Set([build ?? "baseline", "baseline"] as const);
const returns = { logSumExp: true } as const;

function callOf(rows: number, keys: number, size: number, valueSize = size): Call {
  return {
    query: random.tensor([2, 3, rows, size], "float32"),
    key: random.tensor([2, 3, keys, size], "float32"),
    value: random.tensor([2, 3, keys, valueSize], "float32"),
    returns,
  };
}

const short = callOf(49, 49, 32);
const bias = random.tensor([1, 3, 49, 49], "float32");
const hidden = tensor(bias.data.slice(), bias.shape);
hidden.data.fill(Number.NEGATIVE_INFINITY, 5 * 49, 6 * 49);
for (let at = 0; at < hidden.data.length; at += 7) hidden.data[at] = Number.NEGATIVE_INFINITY;
/** Key 0 is hidden from every row. */
const column = tensor(bias.data.slice(), bias.shape);
for (let at = 0; at < column.data.length; at += 49) column.data[at] = Number.NEGATIVE_INFINITY;
const poisoned = tensor((short.value as HostTensor<"float32">).data.slice(), short.value.shape);
for (let head = 0; head < 6; head++) poisoned.data[head * 49 * 32 + 3] = Number.NaN;
const large = tensor(new Float32Array(6 * 49 * 32).fill(3e38), short.value.shape);

const calls: readonly (readonly [string, Call])[] = [
  ["49 rows, 49 keys, 32 elements", short],
  ["80 rows, 80 keys, 15 elements", callOf(80, 80, 15)],
  ["46 rows, 5 keys", callOf(46, 5, 64)],
  ["5 rows, 3 keys, 1 element", callOf(5, 3, 1)],
  ["9 rows, 2 keys, 6 and 3 elements", callOf(9, 2, 6, 3)],
  ["lengths, one of which is 0", { ...short, kvLengths: [17, 0] }],
  ["sinks", { ...short, sinks: [0.5, -3, 2] }],
  ["a bias", { ...short, bias }],
  [
    "a bias of three keys more than a multiple of four",
    { ...callOf(41, 23, 32), bias: random.tensor([1, 3, 41, 23], "float32") },
  ],
  ["a bias that repeats over keys", { ...short, bias: random.tensor([49, 1], "float32") }],
  ["a bias that hides keys, and all of a row", { ...short, bias: hidden }],
  ["a hidden value of NaN", { ...short, bias: column, value: poisoned }],
  ["values whose sums overflow", { ...short, value: large }],
  ["a scale of 1e-30", { ...short, scale: 1e-30 }],
];

/** A mask that hides nothing: `call` by way of tiles. */
function byTiles(call: Call): Call {
  return { ...call, mask: tensor(new Array<boolean>(1).fill(true), [1]) };
}

async function run(backend: Awaited<ReturnType<typeof backendOver>>, call: Call) {
  const outputs = await (await backend.plan(describeProblem(call))).run(call);
  return {
    output: toFloat64(outputs.output as HostTensor),
    logSumExp: toFloat64(outputs.logSumExp as HostTensor),
  };
}

test("takes calls whose rows all see the same keys, in one tile", () => {
  const limits = { ...defaultLimits, threads: 1, tileElements: 5760, batchInvariant: false };
  const isShort = (call: Call) => planProblem(describeProblem(call), limits).short;
  for (const [name, call] of calls) expect(isShort(call), name).toBe(true);
  expect(isShort(byTiles(short))).toBe(false);
  expect(isShort({ ...short, causal: true })).toBe(false);
  expect(isShort({ ...short, softcap: 20 })).toBe(false);
  expect(isShort({ ...short, alibiSlopes: [1, 2, 3] })).toBe(false);
  expect(isShort({ ...short, returns: { weights: true } })).toBe(false);
  expect(isShort(callOf(8, 200, 64))).toBe(false);
});

describe.each([...builds])("%s SIMD", (simd) => {
  test.each(calls)("%s: the bits of tiles", async (_, call) => {
    for (const variant of tileVariants) {
      const wasm = await loadWasm({ threads: 1, simd, variant, batchInvariant: true });
      const backend = await backendOver(wasm);
      expect(await run(backend, call), variant).toEqual(await run(backend, byTiles(call)));
    }
  });
});

test("only a row that would be alone in a panel has other bits, and no larger error", async () => {
  const alone = await backendOver(await loadWasm({ threads: 1 }));
  const panels = await backendOver(await loadWasm({ threads: 1, batchInvariant: true }));
  for (const [name, call] of calls) {
    const expected = toFloat64(referenceAttention(call).output as HostTensor);
    const error = (actual: Float64Array) =>
      actual.reduce((most, x, i) => Math.max(most, Math.abs(x - (expected[i] as number))), 0);
    const one = (await run(alone, call)).output;
    const many = (await run(panels, call)).output;
    const scale = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    if (Number.isFinite(scale)) expect(error(one), name).toBeLessThan(2e-6 * scale);
    const rows = call.query.shape[2] as number;
    const size = call.value.shape[3] as number;
    one.forEach((x, i) => {
      const row = Math.floor(i / size) % rows;
      if (rows % 8 !== 1 || row !== rows - 1) expect(x).toBe(many[i]);
    });
    if (call === short) expect(one).not.toEqual(many);
  }
});
