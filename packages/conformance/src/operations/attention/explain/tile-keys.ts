import type { AttentionInputs, HostTensor } from "@heed/core";
import { onKeys } from "../laws/transform.js";
import { cutTileMistakes, withoutKeys } from "./bands.js";
import { type Hypothesis, withLengths } from "./hypotheses.js";

type Call = AttentionInputs<HostTensor>;

const keysOf = (call: Call): number => call.key.shape[2] as number;

/** Keys that a kernel with tiles of `tile` keys leaves out by mistake. */
export function tileKeyMistakes(tile: number): Hypothesis[] {
  return [
    {
      name: `keys past the last whole tile of ${tile} are left out`,
      change: (call) =>
        keysOf(call) > tile && keysOf(call) % tile !== 0
          ? onKeys(call, 0, keysOf(call) - (keysOf(call) % tile))
          : null,
    },
    {
      name: `keys past the first tile of ${tile} are left out`,
      change: (call) => (keysOf(call) > tile ? onKeys(call, 0, tile) : null),
    },
    {
      name: `the second ${tile} of every ${2 * tile} keys are left out`,
      change: (call) => withoutKeys(call, (j) => j % (2 * tile) >= tile),
    },
    {
      name: `tiles of ${tile} keys end where those of batch 0 do, whatever the batch's own length`,
      change: (call) =>
        withLengths(call, (length, all) =>
          Math.min(length, Math.ceil((all[0] as number) / tile) * tile),
        ),
    },
    ...cutTileMistakes(tile),
  ];
}
