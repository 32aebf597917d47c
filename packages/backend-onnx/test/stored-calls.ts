import {
  type AttentionInputs,
  cast,
  contiguous,
  type HostTensor,
  tensor,
  transpose,
} from "@heed/core";
import { Numbers, stored } from "./call-of.js";

type Call = AttentionInputs<HostTensor>;
type Draft = { -readonly [Name in keyof Call]: Call[Name] };

const int32 = (values: ArrayLike<number>, ...shape: number[]) =>
  tensor(Int32Array.from(values), shape);

/** Storages of keys and values. */
export const storages = ["float32", "float16", "int8"] as const;

/** How sequences lie in the tensors of a call. */
export const layouts = ["batch", "pages", "ragged", "ragged in pages"] as const;

/**
 * A call with keys and values stored as told, and rules, sizes and poison in unused places that the seed chooses.
 */
export function storedCall(
  seed: number,
  storage: (typeof storages)[number],
  layout: (typeof layouts)[number],
): Call {
  const numbers = new Numbers(seed * 7919 + storage.length * 31 + layout.length);
  const float16 = storage !== "float32" && numbers.below(4) === 0;
  const kvHeads = numbers.pick([1, 2]);
  const queryHeads = kvHeads * numbers.pick([1, 2, 3]);
  const headDim = numbers.pick([1, 5, 8, 16]);
  const valueDim = numbers.pick([headDim, 4, 7]);
  const sequences = numbers.pick([1, 2, 3, 5]);
  const ragged = layout.startsWith("ragged");
  const paged = layout.endsWith("pages");
  const size = numbers.pick([2, 4, 16]);
  const queryLengths = Array.from({ length: sequences }, () => numbers.pick([1, 0, 2, 7, 18]));
  const queries = numbers.pick([1, 2, 5]);
  const most = numbers.pick([3, 20, 150]);
  const keyLengths = Array.from({ length: sequences }, () => numbers.below(most + 1));
  const total = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
  const starts = (list: readonly number[]) => [
    0,
    ...list.map((_, s) => total(list.slice(0, s + 1))),
  ];

  const perSequence = Math.ceil(most / size);
  const keyLength = paged ? perSequence * size : ragged ? total(keyLengths) : most;
  const count = paged ? sequences * perSequence + 1 : ragged ? 1 : sequences;
  const rows = paged ? size : keyLength;
  const queryRows = ragged ? total(queryLengths) : queries;
  const batch = ragged ? 1 : sequences;
  const poison = numbers.below(2) === 0 && storage !== "int8";

  const given = (t: HostTensor): HostTensor => {
    // As projections leave them: heads innermost.
    return numbers.below(3) === 0
      ? transpose(contiguous(transpose(t, [0, 2, 1, 3])), [0, 2, 1, 3])
      : t;
  };
  const keys = numbers.tensor(count, kvHeads, rows, headDim);
  const values = numbers.tensor(count, kvHeads, rows, valueDim);
  const call: Draft = {
    query: given(numbers.tensor(batch, queryHeads, queryRows, headDim)),
    key: keys,
    value: values,
  };
  if (float16) call.query = cast(call.query, "float16");

  if (paged) {
    // The first page is nobody's.
    const order = Array.from({ length: count - 1 }, (_, page) => page + 1);
    for (let at = order.length - 1; at > 0; at--) {
      const other = numbers.below(at + 1);
      [order[at], order[other]] = [order[other] as number, order[at] as number];
    }
    const used = (s: number) => Math.ceil((keyLengths[s] as number) / size);
    const table = order.map((page, at) =>
      at % perSequence < used(Math.floor(at / perSequence)) ? page : -1,
    );
    call.pageTable = int32(table, sequences, perSequence);
    call.kvLengths = keyLengths;
    if (poison) poisonPages(keys, values, table, keyLengths, perSequence);
  } else if (ragged) {
    call.keyStarts = starts(keyLengths);
    if (numbers.below(3) === 0) {
      call.kvLengths = keyLengths.map((length) => numbers.below(length + 1));
    }
  } else if (numbers.below(2) === 0) {
    call.kvLengths = keyLengths.map((length) => Math.min(length, keyLength));
  }
  if (ragged) call.queryStarts = starts(queryLengths);

  const key = stored(keys, storage);
  const value = stored(values, storage);
  call.key = given(key.data);
  call.value = given(value.data);
  if (key.scales && value.scales) {
    call.keyScales = key.scales;
    call.valueScales = value.scales;
  }
  addRules(call, numbers, { ragged, queryHeads, batch, queryRows, keyLength, sequences, paged });
  return call;
}

interface RuleSizes {
  readonly ragged: boolean;
  readonly paged: boolean;
  readonly queryHeads: number;
  readonly batch: number;
  readonly queryRows: number;
  readonly keyLength: number;
  readonly sequences: number;
}

function addRules(call: Draft, numbers: Numbers, sizes: RuleSizes): void {
  const { ragged, paged, queryHeads, batch, queryRows, keyLength, sequences } = sizes;
  const some = (): boolean => numbers.below(3) === 0;
  if (some()) call.causal = true;
  if (some()) call.window = { left: numbers.below(9), ...(some() && { right: numbers.below(4) }) };
  if (some()) call.alibiSlopes = Array.from({ length: queryHeads }, () => numbers.next() / 2);
  if (some()) call.sinks = Array.from({ length: queryHeads }, () => numbers.next());
  if (some()) call.softcap = 2;
  const lengths = (): [number, number] => (ragged ? [1, 1] : [queryRows, keyLength]);
  if (some()) {
    const [i, j] = lengths();
    const shape = [
      numbers.pick([1, batch]),
      numbers.pick([1, queryHeads]),
      numbers.pick([1, i]),
      j,
    ];
    const count = shape.reduce((a, b) => a * b, 1);
    const flags = Uint8Array.from({ length: count }, () => (numbers.below(4) === 0 ? 0 : 1));
    call.mask = tensor(flags, shape, { dtype: "bool" });
  }
  if (some()) {
    const [i, j] = lengths();
    call.bias = numbers.tensor(numbers.pick([1, batch]), 1, i, numbers.pick([1, j]));
  }
  const wanted = { logSumExp: some(), weights: !ragged && some() };
  call.returns = { ...wanted, ...(!ragged && some() && { scores: "biased" }) };
  const table = (rows: number, columns: number) =>
    int32(
      Array.from({ length: rows * columns }, () => numbers.below(20) - 2),
      rows,
      columns,
    );
  const [ofQueries, ofKeys] = [some(), some()];
  if (ofQueries) call.queryPositions = table(numbers.pick([1, batch]), queryRows);
  if (ofKeys) call.keyPositions = table(numbers.pick([1, paged ? sequences : batch]), keyLength);
  if (ofQueries || ofKeys) return;
  call.queryOffset = numbers.pick([
    "bottom-right",
    numbers.below(6) - 1,
    Array.from({ length: sequences }, () => numbers.below(9) - 2),
  ] as const);
}

/** Fills what no sequence reads with NaN. */
function poisonPages(
  keys: HostTensor,
  values: HostTensor,
  table: readonly number[],
  lengths: readonly number[],
  perSequence: number,
): void {
  for (const t of [keys, values]) {
    const [count, heads, size, dim] = t.shape as [number, number, number, number];
    const data = t.data as Float32Array;
    for (let page = 0; page < count; page++) {
      const at = table.indexOf(page);
      const length = at < 0 ? 0 : (lengths[Math.floor(at / perSequence)] as number);
      const used = at < 0 ? 0 : Math.max(0, length - (at % perSequence) * size);
      for (let h = 0; h < heads; h++) {
        const head = (page * heads + h) * size * dim;
        data.fill(Number.NaN, head + Math.min(size, used) * dim, head + size * dim);
      }
    }
  }
}
