import { InvalidInputError } from "../../../errors.js";
import type { Tensor } from "../../../tensor/tensor.js";
import { slice } from "../../../tensor/views.js";
import type { CallMemory } from "../call-memory.js";
import type { GroupQueryCall } from "./read.js";

/** Keys or values that a call's queries attend to, and the operator's present output. */
export interface Present {
  /** `[batch, kv_num_heads, rows, head_size]`. */
  readonly present: Tensor;
  /** `[batch, kv_num_heads, keys, head_size]`, and any number of rows after them. */
  readonly attended: Tensor;
}

/**
 * The past with the new rows after it.
 *
 * @param fresh `[batch, kv_num_heads, new rows, head_size]`
 * @param shared whether the past is written in place
 * @throws InvalidInputError where the past has too few rows
 */
export async function extendPast(
  memory: CallMemory,
  call: GroupQueryCall,
  part: "key" | "value",
  fresh: Tensor,
  shared: boolean,
): Promise<Present> {
  const { batch, total, lengths, before } = call;
  const past = call.past?.[part];
  const argument = `past_${part}`;
  const freshRows = fresh.shape[2] as number;
  // Without new keys, the past holds those of this call already.
  const kept = freshRows === 0 ? lengths : before;
  const rows = past?.shape[2] ?? 0;
  const needed = shared ? total : kept.reduce((most, count) => Math.max(most, count), 0);
  if (rows < needed || (shared && past === undefined)) {
    const why = shared ? "total_sequence_length" : "seqlens_k";
    throw new InvalidInputError(argument, `at least ${needed} rows, as ${why} says`, `${rows}`);
  }
  if (shared) {
    await memory.write(past as Tensor, fresh, before);
    return { present: past as Tensor, attended: past as Tensor };
  }
  const [, heads, , size] = fresh.shape as [number, number, number, number];
  const present = memory.zeros(fresh.dtype, [batch, heads, Math.max(total, rows), size]);
  if (past) {
    const first = memory.keep(slice(past, 2, 0, needed) as Tensor);
    await memory.write(present, first, new Int32Array(batch), kept);
  }
  await memory.write(present, fresh, before);
  return { present, attended: present };
}

/** Rows that a compacted cache keeps of a number of tokens; the operator's own formula. */
export function residentRows(tokens: number, capacity: number, window: number): number {
  if (tokens <= capacity) return tokens;
  const step = capacity - window + 1;
  return tokens - step * Math.ceil((tokens - capacity) / step);
}

/**
 * A compacted cache with the new rows after it, and what it keeps of them: the most recent rows, from row 0
 * on, in the order of their positions.
 *
 * @param resident rows of the past of each entry
 * @throws InvalidInputError where the past has fewer rows than the window
 */
export async function extendCompacted(
  memory: CallMemory,
  call: GroupQueryCall,
  part: "key" | "value",
  fresh: Tensor,
  window: number,
  resident: Int32Array,
  shared: boolean,
): Promise<Present> {
  const { batch, lengths, before } = call;
  const past = call.past?.[part] as Tensor;
  const [, heads, capacity, size] = past.shape as [number, number, number, number];
  const freshRows = fresh.shape[2] as number;
  const most = resident.reduce((longest, rows) => Math.max(longest, rows), 0);
  const view = (t: Tensor, axis: number, start: number, end: number): Tensor =>
    memory.keep(slice(t, axis, start, end) as Tensor);
  const attended = memory.zeros(fresh.dtype, [batch, heads, most + freshRows, size]);
  await memory.write(attended, view(past, 2, 0, most), new Int32Array(batch), resident);
  await memory.write(attended, fresh, resident);
  const present = shared ? past : memory.zeros(fresh.dtype, [batch, heads, capacity, size]);
  for (let b = 0; b < batch; b++) {
    const tokens = lengths[b] as number;
    const end = (resident[b] as number) + tokens - (before[b] as number);
    const keeps = residentRows(tokens, capacity, window);
    const rows = view(view(attended, 0, b, b + 1), 2, end - keeps, end);
    await memory.write(view(present, 0, b, b + 1), rows, new Int32Array(1));
  }
  return { present, attended };
}

/** @throws InvalidInputError unless there is a past of at least the window's rows */
export function checkCapacity(call: GroupQueryCall, window: number): number {
  const capacity = call.past?.key.shape[2];
  if (capacity !== undefined && capacity >= window) return capacity;
  const expected = `at least local_window_size ${window} rows, for sliding_window_cache`;
  throw new InvalidInputError("past_key", expected, `${capacity}`);
}
