import {
  type AttentionInputs,
  cast,
  fromFloat64,
  type HostTensor,
  slice,
  tensor,
  toFloat64,
} from "@heed/core";
import { layOut } from "../../../calls/layout.js";
import type { Random } from "../../../calls/random.js";
import type { CaseSpec, PositionsSpec } from "../spec.js";

type Call = AttentionInputs<HostTensor>;

/** Whether a spec says anything of how keys and values are stored, of sequences or of positions. */
export function isStored(spec: CaseSpec): boolean {
  const { kvDtype, pages, ragged, queryPositions, keyPositions } = spec;
  return Boolean(kvDtype || pages || ragged || queryPositions || keyPositions);
}

/** Whether a call is one of those, and not of one dtype, row after row, at positions that follow from indices. */
export function isStoredCall(call: Call): boolean {
  const { pageTable, queryStarts, queryPositions, keyPositions } = call;
  const tables = [pageTable, queryStarts, queryPositions, keyPositions];
  return call.key.dtype !== call.query.dtype || tables.some((table) => table !== undefined);
}

/**
 * A call as a spec stores it.
 *
 * @param call of row-major tensors, one batch entry for each sequence, of queryLength and keyLength
 */
export function storeCall(call: Call, spec: CaseSpec, random: Random): Call {
  const { kvDtype, pages, ragged } = spec;
  const shared = call.value === call.key;
  const key = stored(call.key, kvDtype);
  const value = shared ? key : stored(call.value, kvDtype);
  let made: Call = {
    ...call,
    key: key.data,
    value: value.data,
    ...(key.scales && { keyScales: key.scales, valueScales: value.scales }),
  };
  if (spec.queryPositions || spec.keyPositions) made = withPositions(made, call, spec, random);
  if (ragged) made = flattened(made, ragged, pages !== undefined);
  if (pages) made = inPages(made, call, pages, random);
  const lay = (t: HostTensor): HostTensor => layOut(t, spec.layout ?? "bhld");
  const laidKey = lay(made.key);
  return {
    ...made,
    query: lay(made.query),
    key: laidKey,
    value: shared ? laidKey : lay(made.value),
  };
}

interface Stored {
  readonly data: HostTensor;
  readonly scales?: HostTensor;
}

function stored(t: HostTensor, dtype: CaseSpec["kvDtype"]): Stored {
  if (dtype === undefined) return { data: t };
  if (dtype === "float16") return { data: cast(t, "float16") };
  return quantised(t);
}

/** int8 and one scale a row: the largest element is 127 times the scale. */
export function quantised(t: HostTensor): { data: HostTensor<"int8">; scales: HostTensor } {
  const [entries, heads, rows, size] = t.shape as [number, number, number, number];
  const values = toFloat64(t);
  const data = new Int8Array(values.length);
  const scales = new Float32Array(entries * heads * rows);
  for (let row = 0; row < scales.length; row++) {
    const own = values.subarray(row * size, (row + 1) * size);
    const scale = Math.fround(own.reduce((most, x) => Math.max(most, Math.abs(x)), 0) / 127);
    scales[row] = scale;
    for (let c = 0; c < size; c++) {
      data[row * size + c] = scale === 0 ? 0 : Math.round((own[c] as number) / scale);
    }
  }
  return {
    data: tensor(data, t.shape) as HostTensor<"int8">,
    scales: tensor(scales, [entries, heads, rows]),
  };
}

/** The first rows of each entry, one after another in an only entry, along the axis of length. */
function joined(t: HostTensor, counts: readonly number[]): HostTensor {
  const [, heads, , ...rest] = t.shape as [number, number, number, ...number[]];
  const inner = rest.reduce((a, b) => a * b, 1);
  const total = counts.reduce((a, b) => a + b, 0);
  const data = t.data.slice(0, 0).constructor as new (length: number) => HostTensor["data"];
  const to = new data(heads * total * inner);
  for (let h = 0; h < heads; h++) {
    let row = 0;
    for (const [s, count] of counts.entries()) {
      const from = (s * heads + h) * (t.shape[2] as number) * inner;
      const own = t.data.subarray(from, from + count * inner);
      to.set(own as never, (h * total + row) * inner);
      row += count;
    }
  }
  return tensor(to as never, [1, heads, total, ...rest], { dtype: t.dtype });
}

function startsOf(counts: readonly number[]): Int32Array {
  const starts = new Int32Array(counts.length + 1);
  for (const [s, count] of counts.entries()) starts[s + 1] = (starts[s] as number) + count;
  return starts;
}

function flattened(
  call: Call,
  { queries, keys }: NonNullable<CaseSpec["ragged"]>,
  paged: boolean,
): Call {
  const { kvLengths, queryPositions, keyPositions } = call;
  const given = kvLengths && Int32Array.from(kvLengths);
  const ownKeys = paged ? undefined : (keys as readonly number[]);
  return {
    ...call,
    query: joined(call.query, queries),
    queryStarts: startsOf(queries),
    ...(queryPositions && { queryPositions: joinedRows(queryPositions, queries) }),
    ...(ownKeys && {
      key: joined(call.key, ownKeys),
      value: call.value === call.key ? joined(call.key, ownKeys) : joined(call.value, ownKeys),
      keyStarts: startsOf(ownKeys),
      ...(call.keyScales && { keyScales: joined(call.keyScales, ownKeys) }),
      ...(call.valueScales && { valueScales: joined(call.valueScales, ownKeys) }),
      ...(keyPositions && { keyPositions: joinedRows(keyPositions, ownKeys) }),
    }),
    ...(given && {
      kvLengths: ownKeys
        ? given.map((length, s) => Math.min(length, ownKeys[s] as number))
        : given.map((length, s) => Math.min(length, keys?.[s] ?? length)),
    }),
    ...(!given && paged && keys && { kvLengths: Int32Array.from(keys) }),
  };
}

/** Rows of a table of positions, one after another in an only row. */
function joinedRows(table: HostTensor, counts: readonly number[]): HostTensor {
  const rows = counts.map((count, s) => {
    const row = table.shape[0] === 1 ? 0 : s;
    return [...toFloat64(slice(slice(table, 0, row, row + 1), 1, 0, count))];
  });
  return int32(rows.flat(), 1);
}

function int32(values: readonly number[], rows: number): HostTensor {
  return tensor(Int32Array.from(values), [rows, rows === 0 ? 0 : values.length / rows]);
}

/**
 * Keys and values in pages: those of a sequence are far from each other, in another order, and as many
 * pages that nobody uses lie among them. What no key fills holds numbers of its own.
 */
function inPages(
  call: Call,
  { key: dense }: Call,
  { size, shared = 0, unused = -1 }: NonNullable<CaseSpec["pages"]>,
  random: Random,
): Call {
  const [sequences, , keyLength] = dense.shape as [number, number, number];
  if (keyLength % size !== 0) throw new Error(`${keyLength} keys are no whole pages of ${size}`);
  const perSequence = keyLength / size;
  const lengths = call.kvLengths ?? new Int32Array(sequences).fill(keyLength);
  const own = sequences * Math.max(0, perSequence - shared) + Math.min(shared, perSequence);
  const count = 2 * own + 1;
  const order = Array.from({ length: count }, (_, page) => ({ page, by: random.uniform() }))
    .sort((a, b) => a.by - b.by)
    .map(({ page }) => page);
  const entries: number[] = [];
  const pageOf: { readonly entry: number; readonly s: number; readonly page: number }[] = [];
  let next = 0;
  for (let s = 0; s < sequences; s++) {
    for (let page = 0; page < perSequence; page++) {
      const entry = page < shared && s > 0 ? (entries[page] as number) : (order[next++] as number);
      entries.push(entry);
      if (page >= shared || s === 0) pageOf.push({ entry, s, page });
    }
  }
  const place = (t: HostTensor): HostTensor => {
    const [, heads, , ...rest] = t.shape as [number, number, number, ...number[]];
    const inner = rest.reduce((a, b) => a * b, 1);
    const shape = [count, heads, size, ...rest];
    const to = filler(t, count * heads * size * inner, shape, random);
    for (const { entry, s, page } of pageOf) {
      for (let h = 0; h < heads; h++) {
        const from = ((s * heads + h) * keyLength + page * size) * inner;
        const values = t.data.subarray(from, from + size * inner);
        to.data.set(values as never, (entry * heads + h) * size * inner);
      }
    }
    return to;
  };
  const key = place(call.key);
  const table = entries.map((entry, at) => {
    const s = Math.floor(at / perSequence);
    return (at % perSequence) * size < (lengths[s] as number) ? entry : unused;
  });
  return {
    ...call,
    key,
    value: call.value === call.key ? key : place(call.value),
    ...(call.keyScales && { keyScales: place(call.keyScales) }),
    ...(call.valueScales && { valueScales: place(call.valueScales) }),
    pageTable: tensor(Int32Array.from(table), [sequences, perSequence]),
    kvLengths: Int32Array.from(lengths),
  };
}

/** A tensor of a dtype with numbers like those that it is to hold. */
function filler(
  t: HostTensor,
  count: number,
  shape: readonly number[],
  random: Random,
): HostTensor {
  if (t.dtype !== "int8") return fromFloat64(random.normals(count), shape, t.dtype);
  const data = Int8Array.from({ length: count }, () => Math.floor(255 * random.uniform()) - 127);
  return tensor(data, shape);
}

/** Tables of positions, with one row a sequence or one for all; none beside an offset. */
function withPositions(call: Call, dense: Call, spec: CaseSpec, random: Random): Call {
  const [sequences, , queryLength] = call.query.shape as [number, number, number];
  const keyLength = dense.key.shape[2] as number;
  const table = (
    given: PositionsSpec | undefined,
    length: number,
    start: number,
  ): HostTensor | undefined => {
    if (given === undefined) return undefined;
    const rows = given.one ? 1 : sequences;
    const values = Array.from({ length: rows }, (_, s) =>
      positionsOf(given.order, length, start + (given.one ? 0 : s), random),
    );
    return int32(values.flat(), rows);
  };
  return {
    ...call,
    queryOffset: undefined,
    queryPositions: table(spec.queryPositions, queryLength, Math.max(0, keyLength - queryLength)),
    keyPositions: table(spec.keyPositions, keyLength, 0),
  };
}

function positionsOf(
  order: PositionsSpec["order"],
  length: number,
  start: number,
  random: Random,
): number[] {
  const indices = Array.from({ length }, (_, i) => i);
  switch (order) {
    case "plain":
      return indices.map((i) => i + start);
    case "ring":
      return indices.map((i) => ((i + Math.floor(length / 3)) % length) + start);
    case "tree":
      return indices.map((i) => Math.floor(i / 2) + start);
    case "scattered":
      return indices.map(() => Math.floor(random.uniform() * 1.5 * length) - 2 + start);
  }
}
