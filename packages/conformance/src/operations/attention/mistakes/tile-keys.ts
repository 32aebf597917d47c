import { onKeys } from "../laws/transform.js";
import { isBounded, moved, withoutKeys } from "./bands.js";
import { keysOf } from "./changes.js";
import { withLengths } from "./lengths.js";
import { callMistake, type Mistake } from "./mistake.js";

/** Tiles of which a mistake is planted into a backend, too. */
const planted = { last: 64, second: 16 } as const;

/** Keys that a kernel with tiles of `tile` keys leaves out, or sees, by mistake. */
export function tileKeyMistakes(tile: number): Mistake[] {
  const down = (key: number): number => Math.floor(key / tile) * tile;
  const up = (key: number): number => Math.ceil(key / tile) * tile;
  const pastLast = `keys past the last whole tile of ${tile} are left out`;
  const second = `the second ${tile} of every ${2 * tile} keys are left out`;
  return [
    callMistake(
      tile === planted.last ? "the keys of the last tile are skipped unless it is full" : pastLast,
      (call) =>
        keysOf(call) > tile && keysOf(call) % tile !== 0
          ? withoutKeys(call, (j) => j >= down(keysOf(call)))
          : null,
      tile === planted.last ? { sentence: pastLast, mutant: "core" } : {},
    ),
    callMistake(`keys past the first tile of ${tile} are left out`, (call) =>
      keysOf(call) > tile ? onKeys(call, 0, tile) : null,
    ),
    callMistake(
      tile === planted.second ? "the second half of every 32 keys is skipped" : second,
      (call) => withoutKeys(call, (j) => j % (2 * tile) >= tile),
      tile === planted.second
        ? { sentence: second, mutant: "core", published: "onnxruntime#28520" }
        : {},
    ),
    callMistake(
      `tiles of ${tile} keys end where those of batch 0 do, whatever the batch's own length`,
      (call) => withLengths(call, (length, all) => Math.min(length, up(all[0] as number))),
    ),
    callMistake(`keys of the first tile of ${tile} that a window cuts are left out`, (call) =>
      call.window?.left === undefined
        ? null
        : moved(call, (band) => ({ ...band, first: up(Math.max(0, band.first)) })),
    ),
    callMistake(
      `keys of the last tile of ${tile} that causal, window or lengths cut are left out`,
      (call) =>
        isBounded(call)
          ? moved(call, (band) => ({ ...band, end: down(Math.min(band.last + 1, band.end)) }))
          : null,
    ),
    callMistake(`of the first tile of ${tile} that a window cuts, all keys are seen`, (call) =>
      call.window?.left === undefined
        ? null
        : moved(call, (band) => ({ ...band, first: down(Math.max(0, band.first)) })),
    ),
    callMistake(
      `of the last tile of ${tile} that causal or window cuts, all keys are seen`,
      (call) =>
        call.causal || call.window
          ? moved(call, (band) => ({ ...band, last: up(Math.max(0, band.last + 1)) - 1 }))
          : null,
    ),
  ];
}
