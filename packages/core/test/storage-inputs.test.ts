import {
  type AttentionInputs,
  attention,
  attentionFeaturesOf,
  attentionWork,
  bindInputs,
  describeProblem,
  type HostTensor,
  InvalidInputError,
  referenceAttention,
  Sequence,
  slice,
  tensor,
  toFloat64,
  visibleBand,
  WorkList,
  workGrid,
  zeros,
} from "@heed/core";
import { describe, expect, test } from "vitest";

let state = 1;
const next = (): number => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 31 - 1;
};
const random = (...shape: number[]): HostTensor =>
  tensor(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, next), shape);
const int32 = (values: number[], ...shape: number[]): HostTensor =>
  tensor(Int32Array.from(values), shape);
const int8 = (...shape: number[]): HostTensor =>
  tensor(
    Int8Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => next() * 127),
    shape,
  );

const outputs = (call: AttentionInputs<HostTensor>) => {
  const { output, logSumExp } = referenceAttention({ ...call, returns: { logSumExp: true } });
  return { output: [...toFloat64(output)], logSumExp: [...toFloat64(logSumExp)] };
};

const rules = { causal: true, window: { left: 4 }, alibiSlopes: [0.5, 0.25, 0.125, 1] } as const;

/** Keys in pages of 4 out of order, poisoned where no sequence reads; and the same keys in one piece. */
function paged(lengths: readonly number[]) {
  const size = 4;
  const perSequence = 3;
  const dense = { key: random(lengths.length, 2, 12, 8), value: random(lengths.length, 2, 12, 8) };
  const count = lengths.length * perSequence;
  const pages = (): HostTensor => {
    const all = zeros("float32", [count, 2, size, 8]) as HostTensor<"float32">;
    all.data.fill(Number.NaN);
    return all;
  };
  const key = pages();
  const value = pages();
  const table: number[] = [];
  for (const [s, length] of lengths.entries()) {
    for (let page = 0; page < perSequence; page++) {
      const used = page * size < length;
      const entry = count - 1 - (s + page * lengths.length);
      table.push(used ? entry : -1);
      for (let j = page * size; j < Math.min(length, (page + 1) * size); j++) {
        for (let h = 0; h < 2; h++) {
          for (let c = 0; c < 8; c++) {
            const from = ((s * 2 + h) * 12 + j) * 8 + c;
            const to = ((entry * 2 + h) * size + (j % size)) * 8 + c;
            key.data[to] = dense.key.data[from] as number;
            value.data[to] = dense.value.data[from] as number;
          }
        }
      }
    }
  }
  return { key, value, dense, pageTable: int32(table, lengths.length, perSequence) };
}

describe("keys in pages", () => {
  test("are the same keys in one piece", () => {
    const kvLengths = [9, 0, 12];
    const { dense, ...pages } = paged(kvLengths);
    const query = random(3, 4, 2, 8);
    const call = { query, kvLengths, queryOffset: "bottom-right", ...rules } as const;
    expect(outputs({ ...call, ...pages })).toEqual(outputs({ ...call, ...dense }));
  });

  test("count shared rows once, and what is seen alone", () => {
    const { key, value } = paged([12]);
    const query = random(2, 4, 1, 8);
    const call: AttentionInputs = {
      query,
      key,
      value,
      pageTable: int32([0, 1, -1, 0, 2, -1], 2, 3),
      kvLengths: [8, 6],
    };
    const problem = describeProblem(call);
    const { visiblePairs, bytes } = attentionWork(problem, call);
    expect(visiblePairs).toBe(4 * 14);
    expect(bytes).toBe(4 * (2 * 2 * 4 * 8 + 2 * (4 + 4 + 2) * 16));
    // The first sequence sees rows 2 and 3 of page 0, and the second rows 0 and 1.
    const apart: AttentionInputs = {
      ...{ ...call, pageTable: int32([1, 0, -1, 0, 2, -1], 2, 3) },
      ...{ window: { left: 1, right: 0 }, queryOffset: [7, 1] },
    };
    const work = attentionWork(describeProblem(apart), apart);
    expect([work.visiblePairs, work.bytes]).toEqual([
      ...[4 * 4, 4 * (2 * 2 * 4 * 8 + 2 * (2 + 2) * 16)],
    ]);
  });
});

describe("a ragged batch", () => {
  const queryStarts = [0, 3, 3, 4, 9];
  const keyStarts = [0, 5, 7, 7, 13];

  test("equals its sequences, one by one", () => {
    const query = random(1, 4, 9, 8);
    const key = random(1, 2, 13, 8);
    const value = random(1, 2, 13, 6);
    const kvLengths = [4, 2, 0, 6];
    const call = { queryOffset: "bottom-right", ...rules } as const;
    const all = outputs({ query, key, value, queryStarts, keyStarts, kvLengths, ...call });
    for (const [s, kvLength] of kvLengths.entries()) {
      const queries = [queryStarts[s], queryStarts[s + 1]] as [number, number];
      const keys = [keyStarts[s] as number, (keyStarts[s] as number) + kvLength] as const;
      const alone = outputs({
        query: slice(query, 2, ...queries),
        key: slice(key, 2, ...keys),
        value: slice(value, 2, ...keys),
        ...call,
      });
      const whole = tensor(Float64Array.from(all.output), [1, 4, 9, 6]);
      expect([...toFloat64(slice(whole, 2, ...queries))]).toEqual(alone.output);
    }
  });

  test("of pages has one row a sequence", () => {
    const kvLengths = [9, 0, 12, 5];
    const { dense, ...pages } = paged(kvLengths);
    const query = random(1, 4, 9, 8);
    const call = { query, queryStarts, queryOffset: "bottom-right", ...rules } as const;
    const all = outputs({ ...call, ...pages, kvLengths });
    const keys = [0, 1, 2, 3].map((s) => {
      const one = (t: HostTensor) => slice(slice(t, 0, s, s + 1), 2, 0, kvLengths[s] as number);
      return { key: one(dense.key), value: one(dense.value) };
    });
    const whole = tensor(Float64Array.from(all.output), [1, 4, 9, 8]);
    for (const [s, kv] of keys.entries()) {
      const rows = [queryStarts[s], queryStarts[s + 1]] as [number, number];
      const alone = outputs({
        ...rules,
        query: slice(query, 2, ...rows),
        ...kv,
        queryOffset: "bottom-right",
      });
      expect([...toFloat64(slice(whole, 2, ...rows))]).toEqual(alone.output);
    }
  });

  test("is cut into items within each sequence, which hold every row once", () => {
    const call: AttentionInputs<HostTensor> = {
      query: random(1, 4, 9, 8),
      key: random(1, 2, 13, 8),
      value: random(1, 2, 13, 8),
      queryStarts,
      keyStarts,
      queryOffset: "bottom-right",
      causal: true,
    };
    const problem = describeProblem(call);
    const bound = bindInputs(problem, call);
    for (const rows of [1, 3, 4, 100]) {
      const grid = workGrid(problem, rows);
      const list = new WorkList(grid, bound);
      expect(list.items).toBeLessThanOrEqual(grid.items);
      const found: string[] = [];
      for (let index = 0; index < list.items; index++) {
        const item = list.item(index);
        const sequence = new Sequence(problem, bound, item.sequence);
        expect(item.end).toBeGreaterThan(item.start);
        const seen = list.keysOf(item, visibleBand(problem), sequence);
        expect(seen.end).toBeLessThanOrEqual(sequence.keyLength);
        for (let r = item.start; r < item.end; r++) {
          const row = sequence.queryStart + Math.floor(r / grid.group);
          found.push(`${item.keyHead * grid.group + (r % grid.group)} ${row}`);
        }
      }
      expect(new Set(found).size).toBe(found.length);
      expect(found.length).toBe(4 * 9);
    }
  });
});

describe("positions as data", () => {
  test("that say what indices say change nothing", () => {
    const query = random(2, 4, 3, 8);
    const key = random(2, 2, 7, 8);
    const call = { query, key, value: key, ...rules };
    const plain = outputs({ ...call, queryOffset: 4 });
    const data = {
      queryPositions: int32([4, 5, 6], 1, 3),
      keyPositions: int32([0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6], 2, 7),
    };
    expect(outputs({ ...call, ...data })).toEqual(plain);
    expect(outputs({ ...call, queryPositions: data.queryPositions })).toEqual(plain);
  });

  test("are counted by what they show", () => {
    const call: AttentionInputs = {
      query: random(1, 4, 2, 8),
      key: random(1, 2, 5, 8),
      value: random(1, 2, 5, 8),
      queryPositions: int32([7, 2], 1, 2),
      keyPositions: int32([0, 7, -3, 6, 9], 1, 5),
      window: { left: 3 },
      causal: true,
    };
    const { visiblePairs, bytes } = attentionWork(describeProblem(call), call);
    // 7 sees 7 and 6, 2 sees 0.
    expect(visiblePairs).toBe(4 * 3);
    expect(bytes).toBe(4 * (4 * 2 * 16 + 2 * 3 * 16));
  });

  test("that no rule needs are not part of the problem", () => {
    const t = random(1, 1, 3, 8);
    const call = { query: t, key: t, value: t };
    const given = describeProblem({ ...call, queryPositions: int32([5, 6, 7], 1, 3) });
    expect(given).toBe(describeProblem(call));
  });
});

test("int8 is exact: element times scale", () => {
  const key = int8(2, 2, 5, 8);
  const value = int8(2, 2, 5, 6);
  const [keyScales, valueScales] = [random(2, 2, 5), random(2, 2, 5)];
  const exact = (t: HostTensor, scales: HostTensor) => {
    const size = t.shape[3] as number;
    const factors = toFloat64(scales);
    const values = toFloat64(t).map((x, i) => x * (factors[Math.floor(i / size)] as number));
    return tensor(values, t.shape);
  };
  const query = random(2, 4, 3, 8);
  const call = { query, key, value, keyScales, valueScales };
  const wide = tensor(toFloat64(query), query.shape);
  expect(outputs(call)).toEqual(
    outputs({ query: wide, key: exact(key, keyScales), value: exact(value, valueScales) }),
  );
  const problem = describeProblem(call);
  expect(problem).toMatchObject({ dtype: "float32", kvDtype: "int8" });
  expect(attentionFeaturesOf(problem)).toContain("int8 keys and values");
  expect(attention.operands(problem).map(({ name, dtype }) => `${name} ${dtype}`)).toEqual([
    "query float32",
    "key int8",
    "value int8",
    "keyScales float32",
    "valueScales float32",
    "output float32",
  ]);
});

test("a bound call describes the same problem, and keeps its own copies", () => {
  const kvLengths = [9, 0, 12, 5];
  const { dense: _, ...pages } = paged(kvLengths);
  const queryStarts = Int32Array.from([0, 3, 3, 4, 9]);
  const call: AttentionInputs<HostTensor> = {
    query: random(1, 4, 9, 8),
    ...pages,
    kvLengths,
    queryStarts,
    causal: true,
    queryPositions: int32([4, 5, 6, 0, 7, 8, 9, 10, 11], 1, 9),
  };
  const problem = describeProblem(call);
  const bound = bindInputs(problem, call);
  expect(describeProblem(bound.inputs)).toBe(problem);
  queryStarts.fill(7);
  pages.pageTable.data.fill(99);
  expect(describeProblem(bound.inputs)).toBe(problem);
  expect(bound.pageTable?.every((entry) => entry >= -1 && entry < 12)).toBe(true);
});

test.each([5, 600])("positions of %i rows are copied from wherever they lie", (length) => {
  const data = Int32Array.from({ length: 3 * length + 2 }, (_, i) => (i * 7) % 1000);
  const positions = (offset: number, strides: readonly number[]) =>
    ({
      ...tensor(data, [3 * length + 2]),
      shape: [2, length],
      strides,
      offset,
    }) as HostTensor<"int32">;
  for (const given of [positions(2, [length + 1, 1]), positions(1, [1, 2]), positions(0, [0, 1])]) {
    const call = {
      query: random(2, 1, length, 4),
      key: random(2, 1, 3, 4),
      value: random(2, 1, 3, 4),
    };
    const inputs = { ...call, queryPositions: given, causal: true } as AttentionInputs<HostTensor>;
    const bound = bindInputs(describeProblem(inputs), inputs);
    expect([...(bound.queryPositions as Int32Array)]).toEqual([...toFloat64(given)]);
  }
});

const valid: AttentionInputs = {
  query: random(2, 4, 3, 8),
  key: random(2, 2, 5, 8),
  value: random(2, 2, 5, 8),
};
const inPages = {
  ...valid,
  key: random(6, 2, 4, 8),
  value: random(6, 2, 4, 8),
  kvLengths: [8, 3],
  pageTable: int32([5, 0, 2, -1], 2, 2),
};
const ragged = {
  query: random(1, 4, 6, 8),
  key: random(1, 2, 9, 8),
  value: random(1, 2, 9, 8),
  queryStarts: [0, 2, 6],
  keyStarts: [0, 4, 9],
};
const quantised = {
  ...valid,
  key: int8(2, 2, 5, 8),
  value: int8(2, 2, 5, 8),
  keyScales: random(2, 2, 5),
  valueScales: random(2, 2, 5),
};

test.each<[string, object, Record<string, unknown>]>([
  ["key", valid, { key: int32([1], 1, 1, 1, 1) }],
  ["value", valid, { key: tensor(new Int8Array(160), [2, 2, 5, 8]) }],
  ["keyScales", quantised, { keyScales: undefined }],
  ["valueScales", quantised, { valueScales: random(2, 2, 4) }],
  ["valueScales", quantised, { valueScales: random(2, 2, 5, 1) }],
  ["keyScales", quantised, { keyScales: tensor(new Float64Array(20), [2, 2, 5]) }],
  ["keyScales", valid, { keyScales: random(2, 2, 5) }],
  ["key", quantised, { query: tensor(new Float64Array(192), [2, 4, 3, 8]) }],
  ["kvLengths", inPages, { kvLengths: undefined }],
  ["kvLengths", inPages, { kvLengths: [9, 3] }],
  ["kvLengths", inPages, { kvLengths: [-1, 3] }],
  ["pageTable", inPages, { pageTable: int32([5, 0, -1, -1], 2, 2) }],
  ["pageTable", inPages, { pageTable: int32([5, 6, 2, -1], 2, 2) }],
  ["pageTable", inPages, { pageTable: int32([5, 0, 2, -1], 4, 1) }],
  ["pageTable", inPages, { pageTable: random(2, 2) }],
  ["pageTable", inPages, { pageTable: [5, 0, 2, -1] }],
  ["value", inPages, { value: random(5, 2, 4, 8) }],
  ["value", inPages, { value: random(6, 2, 3, 8) }],
  ["queryStarts", ragged, { queryStarts: undefined }],
  ["queryStarts", ragged, { queryStarts: [1, 2, 6] }],
  ["queryStarts", ragged, { queryStarts: [0, 7, 6] }],
  ["queryStarts", ragged, { queryStarts: [0, 2, 5] }],
  ["queryStarts", ragged, { queryStarts: [] }],
  ["queryStarts", ragged, { queryStarts: [0, 2.5, 6] }],
  ["queryStarts", ragged, { queryStarts: "0, 2, 6" }],
  ["queryStarts", ragged, { queryStarts: int32([0, 2, 6], 1, 3) }],
  ["keyStarts", ragged, { keyStarts: undefined }],
  ["keyStarts", ragged, { keyStarts: [0, 9] }],
  ["keyStarts", ragged, { keyStarts: [0, 4, 9, 9] }],
  ["keyStarts", ragged, { keyStarts: [0, -1, 9] }],
  ["keyStarts", ragged, { ...inPages, query: ragged.query }],
  ["kvLengths", ragged, { kvLengths: [5, 5] }],
  ["query", ragged, { ...valid }],
  ["mask", ragged, { mask: tensor(new Uint8Array(6).fill(1), [6, 1], { dtype: "bool" }) }],
  ["bias", ragged, { bias: random(1, 1, 1, 9) }],
  ["returns.weights", ragged, { returns: { weights: true } }],
  ["returns.scores", ragged, { returns: { scores: "raw" } }],
  ["queryOffset", ragged, { causal: true }],
  ["queryOffset", ragged, { causal: true, queryOffset: [0, 1, 2] }],
  ["queryOffset", valid, { queryPositions: int32([0, 1, 2], 1, 3), queryOffset: 0 }],
  ["queryPositions", valid, { queryPositions: int32([0, 1, 2, 3], 1, 4) }],
  ["queryPositions", valid, { queryPositions: int32([0, 1, 2], 3) }],
  ["keyPositions", valid, { keyPositions: random(1, 5) }],
  ["keyPositions", valid, { keyPositions: int32(new Array(15).fill(0), 3, 5) }],
])("%s is at fault", (argument, call, changes) => {
  let error: unknown;
  try {
    describeProblem({ ...call, ...changes } as never);
  } catch (caught) {
    error = caught;
  }
  expect(error).toBeInstanceOf(InvalidInputError);
  expect((error as InvalidInputError).argument).toBe(argument);
});

test.each([valid, inPages, ragged, quantised])("the call without the fault is right", (call) => {
  expect(() => describeProblem(call as AttentionInputs)).not.toThrow();
});
