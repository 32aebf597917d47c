import {
  type AttentionInputs,
  bindPositions,
  broadcastTo,
  describeProblem,
  elementCount,
  fromFloat64,
  type HostTensor,
  toFloat64,
  visibleBand,
} from "@heed/core";
import { withOffsets } from "../laws/transform.js";
import type { Hypothesis } from "./hypotheses.js";

type Call = AttentionInputs<HostTensor>;

/** What causal, window and kvLengths leave to a row: keys `first ≤ j ≤ last`, of those before `end`. */
export interface Band {
  /** −∞ where nothing bounds it. May lie outside the keys, as `last` may. */
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
function moved(call: Call, change: (band: Band) => Band): Call {
  return withBands(call, (band, key) => isInBand(change(band), key));
}

/** One of the ends of a window, off by one. */
function windowEnd(name: string, side: "left" | "right", change: (band: Band) => Band): Hypothesis {
  const has = ({ window, causal }: Call) =>
    window?.[side] !== undefined && (side === "left" || !causal);
  return { name, change: (call) => (has(call) ? moved(call, change) : null) };
}

export const windowMistakes: readonly Hypothesis[] = [
  windowEnd("the window's left end is exclusive", "left", (band) => ({
    ...band,
    first: band.first + 1,
  })),
  windowEnd("the window's right end is exclusive", "right", (band) => ({
    ...band,
    last: band.last - 1,
  })),
  windowEnd("the window reaches one too far to the left", "left", (band) => ({
    ...band,
    first: band.first - 1,
  })),
  windowEnd("the window reaches one too far to the right", "right", (band) => ({
    ...band,
    last: band.last + 1,
  })),
];

/** Tiles of keys that the ends of a row's band cut, taken for whole ones or for none. */
export function cutTileMistakes(tile: number): Hypothesis[] {
  const down = (key: number): number => Math.floor(key / tile) * tile;
  const up = (key: number): number => Math.ceil(key / tile) * tile;
  const bounded = ({ causal, window, kvLengths }: Call): boolean =>
    Boolean(causal || window || kvLengths);
  const beyond = ({ last, end }: Band): number => Math.min(last + 1, end);
  return [
    {
      name: `keys of the first tile of ${tile} that a window cuts are left out`,
      change: (call) =>
        call.window?.left === undefined
          ? null
          : moved(call, (band) => ({ ...band, first: up(Math.max(0, band.first)) })),
    },
    {
      name: `keys of the last tile of ${tile} that causal, window or kvLengths cut are left out`,
      change: (call) =>
        bounded(call) ? moved(call, (band) => ({ ...band, end: down(beyond(band)) })) : null,
    },
    {
      name: `of the first tile of ${tile} that a window cuts, all keys are seen`,
      change: (call) =>
        call.window?.left === undefined
          ? null
          : moved(call, (band) => ({ ...band, first: down(Math.max(0, band.first)) })),
    },
    {
      name: `of the last tile of ${tile} that causal or window cuts, all keys are seen`,
      change: (call) =>
        call.causal || call.window
          ? moved(call, (band) => ({ ...band, last: up(Math.max(0, band.last + 1)) - 1 }))
          : null,
    },
  ];
}

/** Keys, whatever the row, that are not there. */
export function withoutKeys(call: Call, hidden: (key: number) => boolean): Call | null {
  const keys = Array.from({ length: call.key.shape[2] as number }, (_, j) => j);
  if (!keys.some(hidden)) return null;
  return withBands(call, (band, key) => isInBand(band, key) && !hidden(key));
}
