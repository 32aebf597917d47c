import { InvalidInputError } from "../errors.js";
import { roomForIntegers, sharedIntegers } from "../operation/shared-integers.js";
import { checkTensor, isDeviceTensor } from "../tensor/host-tensor.js";
import { sameShape } from "../tensor/layout.js";
import type { HostTensor } from "../tensor/tensor.js";
import { typedArrayLength, typedArrayName } from "../tensor/typed-array.js";
import { toFloat64 } from "../tensor/values.js";
import type { ScatterInputs } from "./inputs.js";

/** The sizes that slots depend on. */
export interface SlotSizes {
  readonly batch: number;
  readonly count: number;
  readonly entries: number;
  readonly rows: number;
  readonly paged: boolean;
}

/**
 * A copy of the slots of a call, in the order `[batch, n]`, which calls with the same slots share.
 *
 * @throws InvalidInputError unless they are `batch · n` integers, each −1 or within the target, and no
 *   two rows go to the same place
 */
export function readSlots(slots: ScatterInputs["slots"], sizes: SlotSizes): Int32Array {
  const { batch, count, entries, rows, paged } = sizes;
  const given = arrayOf(slots, batch, count);
  const length = batch * count;
  const room = roomForIntegers(length);
  for (let i = 0; i < length; i++) room[i] = given[i] as number;
  checkAll(room, batch, count, entries, rows, paged);
  return sharedIntegers(room, length);
}

/**
 * Checks the slots of a call; see {@link readSlots}, which has to check its copy all the same.
 *
 * @throws InvalidInputError
 */
export function checkSlots(
  slots: ScatterInputs["slots"],
  batch: number,
  count: number,
  entries: number,
  rows: number,
  paged: boolean,
): void {
  checkAll(arrayOf(slots, batch, count), batch, count, entries, rows, paged);
}

function checkAll(
  slots: Int32Array,
  batch: number,
  count: number,
  entries: number,
  rows: number,
  paged: boolean,
): void {
  if (paged) {
    checkRange(slots, 0, batch * count, entries * rows, "slots of the pages");
    return;
  }
  for (let b = 0; b < batch; b++) {
    checkRange(slots, b * count, (b + 1) * count, rows, "rows of the target");
  }
}

/** The array given, or a new one with the elements of a tensor. */
function arrayOf(slots: ScatterInputs["slots"], batch: number, count: number): Int32Array {
  if (typedArrayName(slots) === "Int32Array") {
    const array = slots as Int32Array;
    const length = typedArrayLength(array);
    if (length === batch * count) return array;
    throw new InvalidInputError(
      "slots",
      `${batch * count} integers, one for each row of the source`,
      `${length} of them`,
    );
  }
  checkTensor("slots", slots);
  if (isDeviceTensor(slots)) {
    throw new InvalidInputError("slots", "a host tensor", "a device tensor");
  }
  const { shape, dtype } = slots as HostTensor;
  if (dtype !== "int32") throw new InvalidInputError("slots", "dtype int32", dtype);
  if (!sameShape(shape, [batch, count])) {
    throw new InvalidInputError(
      "slots",
      `shape [batch, n] = [${batch}, ${count}]`,
      `[${shape.join(", ")}]`,
    );
  }
  return Int32Array.from(toFloat64(slots as HostTensor));
}

/** Checks slots that may name any of `limit` rows, each at most once. */
function checkRange(
  slots: Int32Array,
  from: number,
  to: number,
  limit: number,
  what: string,
): void {
  let largest = -1;
  let ordered = true;
  for (let i = from; i < to; i++) {
    const slot = slots[i] as number;
    if (slot < -1 || slot >= limit) {
      throw new InvalidInputError("slots", `${what}, below ${limit}, or −1`, `${slot}`);
    }
    if (slot === -1) continue;
    if (slot <= largest) ordered = false;
    else largest = slot;
  }
  // Rows that are appended are in order, which spares the set.
  if (ordered) return;
  const seen = new Set<number>();
  for (let i = from; i < to; i++) {
    const slot = slots[i] as number;
    if (slot === -1) continue;
    if (seen.has(slot)) {
      throw new InvalidInputError("slots", "each slot at most once", `${slot} twice`);
    }
    seen.add(slot);
  }
}
