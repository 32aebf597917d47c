import { visibleBand } from "@heed/core";
import { withOffsets } from "../laws/transform.js";
import { type Band, moved } from "./bands.js";
import { atOffset, without } from "./changes.js";
import { type Call, callMistake, type Mistake, stepMistake, type Use } from "./mistake.js";
import { steps } from "./steps.js";

/** One of the ends of a window, off by one. */
function windowEnd(
  name: string,
  side: "left" | "right",
  change: (band: Band) => Band,
  use: Use = {},
): Mistake {
  const has = ({ window, causal }: Call): boolean =>
    window?.[side] !== undefined && (side === "left" || !causal);
  return callMistake(name, (call) => (has(call) ? moved(call, change) : null), use);
}

/** Offsets, causal masking and windows. */
export const positionMistakes: readonly Mistake[] = [
  callMistake("causal is always aligned to the top left", (call) => atOffset(call, () => 0), {
    sentence: "the query offset is taken for 0",
    mutant: "masks",
    published: "onnxruntime#29020",
  }),
  callMistake(
    "causal is always aligned to the bottom right",
    (call) => {
      const aligned = withOffsets({ ...call, queryOffset: "bottom-right" }).queryOffset;
      return atOffset(call, (_, b) => (aligned as Int32Array)[b] as number);
    },
    {
      sentence: "the offset is always that of the bottom right, keys − queries",
      mutant: "masks",
      published: "onnxruntime#29020",
    },
  ),
  callMistake(
    "a negative query offset counts as 0",
    (call) => atOffset(call, (offset) => Math.max(0, offset)),
    { sentence: "negative query offsets count as 0", mutant: "masks" },
  ),
  callMistake(
    "the query offset of batch 0 serves all batches",
    (call) => {
      const { queryOffset } = withOffsets(call);
      const first = typeof queryOffset === "object" ? (queryOffset[0] as number) : 0;
      return atOffset(call, () => first);
    },
    { mutant: "masks" },
  ),
  callMistake(
    "a query does not see its own key",
    (call) => (call.causal && !call.window ? atOffset(call, (offset) => offset - 1) : null),
    {
      sentence: "causal hides a query's own key too: it sees j < p instead of j ≤ p",
      mutant: "core",
    },
  ),
  callMistake("causal shows one key too many: j ≤ p + 1", (call) =>
    call.causal && !call.window ? atOffset(call, (offset) => offset + 1) : null,
  ),
  callMistake("causal is ignored", (call) => without(call, "causal")),
  callMistake("the window is ignored", (call) => without(call, "window")),
  windowEnd(
    "a window's left end is exclusive",
    "left",
    (band) => ({ ...band, first: band.first + 1 }),
    { sentence: "the window's left end is exclusive", mutant: "masks" },
  ),
  windowEnd(
    "a window's right end is exclusive",
    "right",
    (band) => ({ ...band, last: band.last - 1 }),
    { sentence: "the window's right end is exclusive", mutant: "masks" },
  ),
  windowEnd("the window reaches one too far to the left", "left", (band) => ({
    ...band,
    first: band.first - 1,
  })),
  windowEnd("the window reaches one too far to the right", "right", (band) => ({
    ...band,
    last: band.last + 1,
  })),
  stepMistake("the ends of a window wrap around in 32 bits", "numerics", {
    inBand: ({ p }, j, { problem }) => {
      const { left, right } = visibleBand(problem);
      const first = Number.isFinite(left) ? (p - left) | 0 : left;
      const last = Number.isFinite(right) ? (p + right) | 0 : right;
      return (first === Number.POSITIVE_INFINITY || first <= j) && j <= last;
    },
  }),
  stepMistake("a window needs causal to count", "masks", {
    inBand: (place, j, call) => !call.problem.causal || steps.inBand(place, j, call),
  }),
];
