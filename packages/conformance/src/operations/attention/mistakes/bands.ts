import {
  bindPositions,
  broadcastTo,
  describeProblem,
  elementCount,
  fromFloat64,
  toFloat64,
  visibleBand,
} from "@heed/core";
import { type Call, withOffsets } from "../laws/transform.js";

/**
 * Keys that causal, window and kvLengths let a row see: `first ≤ j ≤ last` and `j < end`. These are core's
 * visible keys before they are cut to those that exist, so that a mistake can move each end.
 */
export interface Band {
  /** −∞ if nothing bounds it. Like `last`, it may lie outside the keys. */
  readonly first: number;
  readonly last: number;
  readonly end: number;
}

/** The band of each row of `[batch, heads, queries]`. */
export function bandsOf(call: Call): (row: number) => Band {
  const problem = describeProblem(call);
  const { left, right } = visibleBand(problem);
  const { offsets, kvLengths } = bindPositions(problem, call);
  const { queryHeads, queryLength } = problem;
  return (row) => {
    const b = Math.floor(row / (queryHeads * queryLength));
    const position = (offsets[b] as number) + (row % queryLength);
    return { first: position - left, last: position + right, end: kvLengths[b] as number };
  };
}

/** Whether any rule on positions hides keys of a call. */
export function isBounded({ causal, window, kvLengths }: Call): boolean {
  return Boolean(causal || window || kvLengths);
}

export function isInBand({ first, last, end }: Band, key: number): boolean {
  return first <= key && key <= last && key < end;
}

/** The call with the keys `show` lets each row see instead of those of its band; the mask stays. */
function withBands(call: Call, show: (band: Band, key: number) => boolean): Call {
  const keys = call.key.shape[2] as number;
  const full = [...call.query.shape.slice(0, 3), keys];
  const bandOf = bandsOf(call);
  const shown = call.mask
    ? toFloat64(broadcastTo(call.mask, full))
    : new Float64Array(elementCount(full)).fill(1);
  const seen = shown.map((visible, at) =>
    visible && show(bandOf(Math.floor(at / keys)), at % keys) ? 1 : 0,
  );
  return {
    ...withOffsets(call),
    causal: undefined,
    window: undefined,
    kvLengths: undefined,
    mask: fromFloat64(seen, full, "bool"),
  };
}

/** The call with other bands. */
export function moved(call: Call, change: (band: Band) => Band): Call {
  return withBands(call, (band, key) => isInBand(change(band), key));
}

/** Keys, whatever the row, that are not there. */
export function withoutKeys(call: Call, hidden: (key: number) => boolean): Call | null {
  const keys = Array.from({ length: call.key.shape[2] as number }, (_, j) => j);
  if (!keys.some(hidden)) return null;
  return withBands(call, (band, key) => isInBand(band, key) && !hidden(key));
}
