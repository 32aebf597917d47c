import { fromFloat64, type HostTensor, tensor, toFloat64 } from "@heed/core";
import { type Call, callMistake, type Mistake } from "./mistake.js";

/** Mistakes with stored keys and values, pages, ragged batches and positions as data. */
export const servingMistakes: readonly Mistake[] = [
  serving("the scales of the keys are ignored", (call) => withScales(call, "keyScales", () => 1)),
  serving("the scales of the values are ignored", (call) =>
    withScales(call, "valueScales", () => 1),
  ),
  serving("a row of int8 has the scale of the row before", (call) =>
    withScales(call, "keyScales", (values, at) => values[Math.max(0, at - 1)] as number),
  ),
  serving("the scale of a head's first row serves all its rows", (call) =>
    withScales(call, "valueScales", (values, at, rows) => values[at - (at % rows)] as number),
  ),
  serving("the scales of the keys serve the values too", ({ keyScales, valueScales, ...call }) =>
    keyScales ? { ...call, keyScales, valueScales: keyScales } : null,
  ),
  serving("int8 is read as if it were unsigned", (call) =>
    asFloats(call, (x) => (x < 0 ? x + 256 : x)),
  ),
  serving("the page table is ignored: pages follow one another", (call) =>
    withTable(call, "pageTable", (entry, at, { key }) =>
      entry < 0 ? entry : at % (key.shape[0] as number),
    ),
  ),
  serving("the pages of sequence 0 serve all sequences", (call) =>
    withTable(call, "pageTable", (_, at, { pageTable }) =>
      entryOf(pageTable as HostTensor, 0, at % ((pageTable as HostTensor).shape[1] as number)),
    ),
  ),
  serving("the last page of a sequence counts as full", (call) => {
    const { pageTable, kvLengths, key } = call;
    if (!pageTable || !kvLengths) return null;
    const size = key.shape[2] as number;
    return {
      ...call,
      ...fixedOffsets(call),
      kvLengths: Int32Array.from(kvLengths, (length) => Math.ceil(length / size) * size),
    };
  }),
  serving("the last page of a sequence is left out unless it is full", (call) => {
    const { pageTable, kvLengths, key } = call;
    if (!pageTable || !kvLengths) return null;
    const size = key.shape[2] as number;
    return {
      ...call,
      ...fixedOffsets(call),
      kvLengths: Int32Array.from(kvLengths, (length) => length - (length % size)),
    };
  }),
  serving("a sequence of a ragged batch starts one key late", (call) =>
    withStarts(call, "keyStarts", (start, s, last) => (s === 0 ? 0 : Math.min(start + 1, last))),
  ),
  serving("a sequence of a ragged batch starts one query late", (call) =>
    withStarts(call, "queryStarts", (start, s, last) => (s === 0 ? 0 : Math.min(start + 1, last))),
  ),
  serving("all sequences of a ragged batch see the keys of the first", (call) => {
    const { queryStarts, keyStarts, kvLengths: _, ...rest } = call;
    if (!keyStarts || !queryStarts || "data" in keyStarts) return null;
    const starts = Array.from(keyStarts);
    return {
      ...rest,
      ...fixedOffsets(call),
      queryStarts: [0, call.query.shape[2] as number],
      keyStarts: [0, starts.at(-1) as number],
      kvLengths: [starts[1] as number],
      ...(typeof rest.queryOffset === "object" && { queryOffset: 0 }),
    };
  }),
  serving("the offset of a ragged batch's first sequence serves all", (call) => {
    const { queryStarts, queryOffset } = call;
    if (!queryStarts || typeof queryOffset !== "object") return null;
    return { ...call, queryOffset: Array.from(queryOffset, () => queryOffset[0] as number) };
  }),
  serving("the positions of the queries are ignored", (call) => moved(call, "queryPositions")),
  serving("the positions of the keys are ignored", (call) => moved(call, "keyPositions")),
  serving("the positions of sequence 0 serve all sequences", (call) =>
    withTable(call, "keyPositions", (_, at, { keyPositions }) => {
      const table = keyPositions as HostTensor;
      return entryOf(table, 0, at % (table.shape[1] as number));
    }),
  ),
  serving("positions are taken for those of a sorted cache", (call) => {
    const { keyPositions } = call;
    if (!keyPositions) return null;
    const columns = keyPositions.shape[1] as number;
    const values = [...toFloat64(keyPositions)];
    const sorted = values.map((_, at) => {
      const row = at - (at % columns);
      return values.slice(row, row + columns).sort((a, b) => a - b)[at % columns] as number;
    });
    return { ...call, keyPositions: tensor(Int32Array.from(sorted), keyPositions.shape) };
  }),
];

function serving(name: string, change: (call: Call) => Call | null): Mistake {
  return callMistake(name, change, { mutant: "serving" });
}

function withScales(
  call: Call,
  name: "keyScales" | "valueScales",
  change: (values: Float64Array, at: number, rows: number) => number,
): Call | null {
  const scales = call[name];
  if (scales === undefined) return null;
  const values = toFloat64(scales);
  const rows = scales.shape[2] as number;
  const changed = values.map((_, at) => change(values, at, rows));
  return { ...call, [name]: fromFloat64(changed, scales.shape, "float32") };
}

/** The call with int8 keys and values as floats, whose elements a function reads. */
function asFloats(call: Call, read: (x: number) => number): Call | null {
  const { keyScales, valueScales, query, key, value, ...rest } = call;
  if (!keyScales || !valueScales) return null;
  const float = (t: HostTensor, scales: HostTensor): HostTensor => {
    const factors = toFloat64(scales);
    const size = t.shape[3] as number;
    const values = toFloat64(t).map(
      (x, at) => read(x) * (factors[Math.floor(at / size)] as number),
    );
    return fromFloat64(values, t.shape, query.dtype);
  };
  return { ...rest, query, key: float(key, keyScales), value: float(value, valueScales) };
}

function entryOf(table: HostTensor, row: number, column: number): number {
  return toFloat64(table)[row * (table.shape[1] as number) + column] as number;
}

function withTable(
  call: Call,
  name: "pageTable" | "keyPositions",
  change: (entry: number, at: number, call: Call) => number,
): Call | null {
  const table = call[name];
  if (table === undefined) return null;
  const values = Int32Array.from(toFloat64(table), (entry, at) => change(entry, at, call));
  return { ...call, [name]: tensor(values, table.shape) };
}

function withStarts(
  call: Call,
  name: "queryStarts" | "keyStarts",
  change: (start: number, s: number, last: number) => number,
): Call | null {
  const starts = call[name];
  if (starts === undefined || "data" in starts) return null;
  const own = Array.from(starts);
  const last = own.at(-1) as number;
  const changed = own.map((start, s) => (s === own.length - 1 ? last : change(start, s, last)));
  // Lengths may be more than what a sequence has left.
  return { ...call, [name]: changed, kvLengths: name === "keyStarts" ? undefined : call.kvLengths };
}

/** Offsets in numbers where they follow from lengths, so that other lengths do not move them. */
function fixedOffsets(call: Call): Partial<Call> {
  const { queryOffset, kvLengths, queryStarts } = call;
  if (queryOffset !== "bottom-right" || !kvLengths) return {};
  if (queryStarts) return {};
  const queries = call.query.shape[2] as number;
  return { queryOffset: Array.from(kvLengths, (length) => length - queries) };
}

/** The call without a table of positions; an offset stands in for the only one. */
function moved(call: Call, name: "queryPositions" | "keyPositions"): Call | null {
  if (call[name] === undefined) return null;
  const other = name === "queryPositions" ? call.keyPositions : call.queryPositions;
  return { ...call, [name]: undefined, ...(other === undefined && { queryOffset: 0 }) };
}
