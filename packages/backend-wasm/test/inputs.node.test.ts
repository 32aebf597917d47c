import { Random } from "@heed/conformance";
import {
  type AttentionInputs,
  type DeviceTensor,
  describeProblem,
  type HostTensor,
  referenceAttention,
  type Tensor,
  tensor,
  toFloat64,
} from "@heed/core";
import { describe, expect, test } from "vitest";
import { backendOver, loadThreads } from "./backends.js";

type Call = AttentionInputs<HostTensor>;

const limits = { sharedWork: 0, leastSplitKeys: 16 };
const builds = {
  best: await backendOver(await loadThreads({ threads: 1 })),
  baseline: await backendOver(await loadThreads({ threads: 1, simd: "baseline" })),
  threads: await backendOver(await loadThreads({ threads: 2 }), limits),
  invariant: await backendOver(await loadThreads({ threads: 1, batchInvariant: true })),
};

/** A random call with any of the inputs that keys, sequences and positions may have. */
function randomCall(seed: string): Call {
  const random = new Random(seed);
  const integer = (below: number): number => Math.floor(random.uniform() * below);
  const pick = <T>(...from: readonly T[]): T => from[integer(from.length)] as T;
  const upTo = (most: number): number => integer(most + 1);
  const dtype = pick("float32", "float32", "float16");
  const stored = pick("same", "float16", "int8", "int8");
  const kvDtype = stored === "same" ? dtype : stored;
  const kvHeads = pick(1, 2);
  const queryHeads = kvHeads * pick(1, 1, 3, 4);
  const headDim = pick(8, 16, 20, 64);
  const valueDim = pick(headDim, 24, 7);
  const ragged = pick(false, false, true);
  const paged = pick(false, true);
  const batch = ragged ? 1 : pick(1, 2);
  const sequences = ragged ? 1 + upTo(4) : batch;
  const starts = (lengths: readonly number[]) => {
    let sum = 0;
    return Int32Array.from([0, ...lengths.map((n) => (sum += n))]);
  };
  const queries = Array.from({ length: sequences }, () => pick(0, 1, 1, 2, 20));
  const queryStarts = ragged ? starts(queries) : undefined;
  const queryLength = queryStarts ? (queryStarts[sequences] as number) : pick(1, 1, 2, 19);
  const size = pick(1, 3, 16, 32);
  const perSequence = pick(0, 3, 20);
  const keys = Array.from({ length: sequences }, () => pick(0, 1, 30, 200));
  const keyStarts = ragged && !paged ? starts(keys) : undefined;
  const keyLength = keyStarts
    ? (keyStarts[sequences] as number)
    : paged
      ? perSequence * size
      : pick(1, 30, 300);
  const most = (s: number): number => (keyStarts ? (keys[s] as number) : keyLength);
  const kvLengths =
    paged || pick(false, true)
      ? Int32Array.from({ length: sequences }, (_, s) => pick(most(s), upTo(most(s))))
      : undefined;
  const lengths = kvLengths ?? Int32Array.from({ length: sequences }, (_, s) => most(s));
  const count = paged ? 1 + sequences * perSequence : batch;
  const rows = paged ? size : keyLength;
  // Slots without a key hold values that must not be read.
  const exists = (entry: number, row: number): boolean => {
    if (paged) return false;
    if (!keyStarts) return row < (lengths[entry] as number);
    return keys.some((_, s) => {
      const start = keyStarts[s] as number;
      return row >= start && row < start + (lengths[s] as number);
    });
  };
  const pages = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = integer(i + 1);
    [pages[i], pages[j]] = [pages[j] as number, pages[i] as number];
  }
  const live = new Set<string>();
  let pageTable: HostTensor | undefined;
  if (paged) {
    const data = new Int32Array(sequences * perSequence).fill(-1);
    let next = 0;
    for (let s = 0; s < sequences; s++) {
      for (let p = 0; p * size < (lengths[s] as number); p++) {
        const page = pages[next++] as number;
        data[s * perSequence + p] = page;
        for (let row = 0; row < size && p * size + row < (lengths[s] as number); row++) {
          live.add(`${page} ${row}`);
        }
      }
    }
    pageTable = tensor(data, [sequences, perSequence], { dtype: "int32" });
  }
  const isLive = (entry: number, row: number): boolean =>
    paged ? live.has(`${entry} ${row}`) : exists(entry, row);
  const cache = (columns: number): HostTensor => {
    const shape = [count, kvHeads, rows, columns];
    const total = shape.reduce((a, b) => a * b, 1);
    if (kvDtype === "int8") {
      const data = Int8Array.from({ length: total }, () => integer(255) - 127);
      return tensor(data, shape, { dtype: "int8" });
    }
    const t = random.tensor(shape, kvDtype);
    // Tensors of float16 may hold a Float16Array: bits are written through a view of its buffer.
    const [written, poison] = kvDtype === "float16" ? [halves(t), 0x7e00] : [t.data, Number.NaN];
    for (let i = 0; i < total; i++) {
      const row = Math.floor(i / columns) % rows;
      const entry = Math.floor(i / (columns * rows * kvHeads));
      if (!isLive(entry, row)) (written as Float32Array)[i] = poison;
    }
    return t;
  };
  const scales = (): HostTensor => {
    const shape = [count, kvHeads, rows];
    const data = Float32Array.from({ length: count * kvHeads * rows }, (_, i) => {
      const entry = Math.floor(i / (rows * kvHeads));
      return isLive(entry, i % rows) ? (0.5 + random.uniform()) / 100 : Number.NaN;
    });
    return tensor(data, shape, { dtype: "float32" });
  };
  const int8 = kvDtype === "int8";
  const data = pick(false, false, true);
  const table = (length: number, whole: number): HostTensor => {
    const its = ragged && whole === batch ? 1 : pick(1, whole);
    const order = pick(true, false);
    const values = Int32Array.from({ length: its * length }, (_, i) =>
      order ? i % Math.max(1, length) : integer(60) - 5,
    );
    return tensor(values, [its, length], { dtype: "int32" });
  };
  const queryPositions = data && pick(true, false) ? table(queryLength, batch) : undefined;
  const keyPositions =
    data && (queryPositions === undefined || pick(true, false))
      ? table(keyLength, paged ? sequences : batch)
      : undefined;
  const positional = {
    causal: pick(true, false),
    ...(pick(true, false) && { window: { left: pick(3, 40, 100), right: pick(0, 5, 1000) } }),
    ...(pick(false, false, true) && {
      alibiSlopes: Array.from({ length: queryHeads }, (_, h) => 0.01 * (h + 1)),
    }),
  };
  const flat = ragged || pick(true, false);
  const broad = [pick(1, batch), pick(1, queryHeads), flat ? 1 : queryLength, flat ? 1 : keyLength];
  const broadCount = broad.reduce((a, b) => a * b, 1);
  const matrices = !ragged && pick(false, false, false, true);
  return {
    query: random.tensor([batch, queryHeads, queryLength, headDim], dtype),
    key: cache(headDim),
    value: cache(valueDim),
    ...(int8 && { keyScales: scales(), valueScales: scales() }),
    ...(pageTable && { pageTable }),
    ...(queryStarts && { queryStarts }),
    ...(keyStarts && { keyStarts }),
    ...(kvLengths && { kvLengths }),
    ...(queryPositions && { queryPositions }),
    ...(keyPositions && { keyPositions }),
    ...positional,
    ...(!data && {
      queryOffset: pick<"bottom-right" | Int32Array>(
        "bottom-right",
        Int32Array.from({ length: sequences }, () => upTo(200) - 20),
      ),
    }),
    ...(pick(false, false, true) && { softcap: 3 }),
    ...(pick(false, false, true) && { sinks: Array.from({ length: queryHeads }, () => 0.3) }),
    ...(pick(false, false, true) && {
      mask: tensor(
        Uint8Array.from({ length: broadCount }, () => Number(integer(4) > 0)),
        broad,
        { dtype: "bool" },
      ),
    }),
    ...(pick(false, false, true) && { bias: random.tensor(broad, "float32") }),
    returns: { logSumExp: true, ...(matrices && { weights: true, scores: "biased" as const }) },
  } as Call;
}

/** The bits of a float16 tensor. */
function halves({ data }: HostTensor): Uint16Array {
  return new Uint16Array(data.buffer, data.byteOffset, data.length);
}

/** Largest difference, infinite if one of them alone is not finite. */
function difference(got: Tensor, expected: HostTensor): number {
  const [x, y] = [toFloat64(got as HostTensor), toFloat64(expected)];
  let worst = 0;
  for (let i = 0; i < y.length; i++) {
    const [a, b] = [x[i] as number, y[i] as number];
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
    const error = Math.abs(a - b) / (1 + Math.abs(b));
    worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(worst, error);
  }
  return worst;
}

/** The call with what may be on a device in wasm memory. */
async function uploaded(backend: (typeof builds)["best"], call: Call): Promise<AttentionInputs> {
  const names = ["query", "key", "value", "keyScales", "valueScales"] as const;
  const entries = await Promise.all(
    names.map(async (name) => {
      const t = call[name];
      return t ? [[name, await backend.upload(t)] as const] : [];
    }),
  );
  return { ...call, ...Object.fromEntries(entries.flat()) };
}

// Infinities and NaN in float16 keys that are seen: conversion in registers takes them for numbers.
test.each([1, 3])(
  "%i rows: float16 keys and values that are not finite count where they are seen",
  async (rows) => {
    for (const bits of [0x7c00, 0xfc00, 0x7e01]) {
      const random = new Random(`${rows} ${bits}`);
      const key = random.tensor([1, 1, 70, 16], "float16");
      const value = random.tensor([1, 1, 70, 8], "float16");
      halves(value)[8 * 40 + 3] = bits;
      const call = { query: random.tensor([1, 1, rows, 16], "float32"), key, value };
      const other = {
        ...call,
        key: tensor(halves(key).slice(), key.shape, { dtype: "float16" }),
      };
      halves(other.key)[16 * 50 + 1] = 0x7e00;
      for (const inputs of [call, other]) {
        const plan = await builds.best.plan(describeProblem(inputs));
        const { output } = await plan.run(inputs);
        expect(difference(output, referenceAttention(inputs).output as HostTensor)).toBeLessThan(
          3e-5,
        );
      }
    }
  },
);

describe.each(Object.entries(builds))("%s", (name, backend) => {
  test("random calls of every storage, batch and position are the reference's", async () => {
    const from = Number(process.env.HEED_SEED ?? 0);
    const calls = Number(process.env.HEED_CALLS ?? 60);
    for (let i = from; i < from + calls; i++) {
      const call = randomCall(`inputs ${i}`);
      const problem = describeProblem(call);
      const plan = await backend.plan(problem);
      const outputs = await plan.run(call);
      const expected = referenceAttention(call);
      for (const output of Object.keys(expected) as (keyof typeof expected)[]) {
        const tolerance = problem.dtype === "float16" && output !== "logSumExp" ? 2e-3 : 3e-5;
        const worst = difference(outputs[output] as Tensor, expected[output] as HostTensor);
        expect(worst, `${name}: call ${i}, ${output}, ${problem.key}`).toBeLessThan(tolerance);
      }
      // Pages in host memory are copied if they are used; in wasm memory they are read in place.
      const resident = await plan.run(await uploaded(backend, call));
      const read = await (resident.output as DeviceTensor).read();
      expect(toFloat64(read), `${name}: call ${i} on the device`).toEqual(
        toFloat64(outputs.output as HostTensor),
      );
    }
  });
});
