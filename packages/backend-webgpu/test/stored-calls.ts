/** Calls on stored keys, pages, ragged batches and positions that are data, with poison where nothing is read. */
import { Random } from "@heed/conformance";
import {
  type AttentionInputs,
  type AttentionReturns,
  cast,
  type FloatDType,
  fromFloat64,
  type HostTensor,
  tensor,
  toFloat64,
} from "@heed/core";

/** Rules and sizes of a call; everything else follows from the seed. */
export interface StoredShape {
  readonly seed?: number;
  readonly dtype?: FloatDType;
  readonly stored: "float32" | "float16" | "int8";
  readonly heads?: readonly [query: number, kv: number];
  /** Queries and existing keys of each sequence. */
  readonly sequences: readonly (readonly [queries: number, keys: number])[];
  readonly sizes?: readonly [head: number, value: number];
  /** Keys of a page; left out: no pages. */
  readonly pageSize?: number;
  /** Whether sequences lie one after another. */
  readonly ragged?: boolean;
  /** Whether positions are data: of both sides, or of one. */
  readonly positions?: "both" | "queries" | "keys";
  readonly rules?: Partial<AttentionInputs<HostTensor>>;
  readonly mask?: boolean;
  readonly bias?: boolean;
  readonly returns?: AttentionReturns;
}

/** Rows without a gap, of a dtype; int8 with scales. */
interface Rows {
  readonly tensor: HostTensor;
  readonly scales: HostTensor | null;
}

/** Makes a call; rows that no sequence reads hold NaN, or scales of NaN. */
export function storedCall(shape: StoredShape): AttentionInputs<HostTensor> {
  const { dtype = "float32", stored, heads = [4, 2], sizes = [16, 16], sequences } = shape;
  const random = new Random(JSON.stringify(shape));
  const integer = (least: number, most: number): number =>
    least + Math.floor(random.uniform() * (most - least + 1));
  const [queryHeads, kvHeads] = heads;
  const queries = sequences.map(([count]) => count);
  const lengths = sequences.map(([, count]) => count);
  const sum = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);
  const longest = Math.max(1, ...lengths);
  const { ragged = false, pageSize } = shape;
  const startsOf = (counts: readonly number[]): Int32Array =>
    Int32Array.from([0, ...counts.map((_, s) => sum(counts.slice(0, s + 1)))]);
  const batch = ragged ? 1 : sequences.length;
  const queryLength = ragged ? sum(queries) : (queries[0] as number);
  // Two keys more than there are, so that some do not exist.
  const room = pageSize ? Math.ceil(longest / pageSize) : 0;
  const keysEach = lengths.map((length) => length + 2);
  const keyLength = pageSize ? room * pageSize : ragged ? sum(keysEach) : longest + 2;
  const entries = pageSize ? sequences.length * room + 1 : batch;
  const rows = pageSize ?? keyLength;

  const table = new Int32Array(sequences.length * room).fill(-1);
  const order = Array.from({ length: entries }, (_, i) => i);
  for (let i = entries - 1; i > 0; i--) {
    const other = integer(0, i);
    [order[i], order[other]] = [order[other] as number, order[i] as number];
  }
  const exists = new Uint8Array(entries * rows);
  const keyStarts = startsOf(keysEach);
  for (const [s, length] of lengths.entries()) {
    for (let j = 0; j < length; j++) {
      if (pageSize) {
        const page = Math.floor(j / pageSize);
        if (table[s * room + page] === -1) table[s * room + page] = order.pop() as number;
        exists[(table[s * room + page] as number) * rows + (j % pageSize)] = 1;
      } else exists[ragged ? (keyStarts[s] as number) + j : s * rows + j] = 1;
    }
  }
  const store = (size: number): Rows => {
    const all = toFloat64(random.tensor([entries, kvHeads, rows, size], "float32"));
    const scales = new Float32Array(entries * kvHeads * rows);
    for (let row = 0; row < scales.length; row++) {
      const entry = Math.floor(row / (kvHeads * rows));
      const there = exists[entry * rows + (row % rows)] === 1;
      const own = all.subarray(row * size, (row + 1) * size);
      if (stored === "int8") {
        scales[row] = there ? Math.max(...own.map(Math.abs)) / 127 : Number.NaN;
        for (let c = 0; c < size; c++) {
          own[c] = there ? Math.round((own[c] as number) / (scales[row] as number)) : 99;
        }
      } else if (!there) own.fill(Number.NaN);
    }
    const shape = [entries, kvHeads, rows, size];
    return stored === "int8"
      ? {
          tensor: tensor(Int8Array.from(all), shape),
          scales: tensor(scales, [entries, kvHeads, rows]),
        }
      : { tensor: cast(fromFloat64(all, shape, "float32"), stored), scales: null };
  };
  const key = store(sizes[0]);
  const value = store(sizes[1]);
  const positionsOf = (count: number): HostTensor => {
    const shuffled = Int32Array.from({ length: count }, (_, i) => i + integer(-3, 3));
    return tensor(shuffled, [1, count]);
  };
  const pairs = ragged ? [1, queryHeads, 1, 1] : [batch, 1, queryLength, keyLength];
  const noise = random.tensor(pairs, "float32");
  return {
    query: random.tensor([batch, queryHeads, queryLength, sizes[0]], dtype),
    key: key.tensor,
    value: value.tensor,
    ...(key.scales && { keyScales: key.scales, valueScales: value.scales as HostTensor }),
    ...(pageSize && { pageTable: tensor(table, [sequences.length, room]) }),
    ...(ragged && { queryStarts: startsOf(queries) }),
    ...(ragged && !pageSize && { keyStarts }),
    kvLengths: lengths,
    ...(shape.positions &&
      shape.positions !== "keys" && { queryPositions: positionsOf(queryLength) }),
    ...(shape.positions &&
      shape.positions !== "queries" && { keyPositions: positionsOf(keyLength) }),
    ...(shape.mask && {
      mask: tensor(
        Uint8Array.from(toFloat64(noise), (x) => (x > -0.8 ? 1 : 0)),
        pairs,
        { dtype: "bool" },
      ),
    }),
    ...(shape.bias && { bias: random.tensor(pairs, "float32") }),
    ...shape.rules,
    returns: shape.returns ?? { logSumExp: true },
  };
}
