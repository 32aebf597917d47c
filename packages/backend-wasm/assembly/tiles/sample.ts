import * as D from "../../src/shared/attention";
import { MOST } from "../attention/kernels/groups";
import { panelScores } from "../attention/kernels/panel-scores";
import { tileValues } from "../attention/kernels/panel-values";
import { spread, spreadScores, spreadValues } from "../attention/kernels/spread";

/** Panels of the sample: the tile of a block of 64 rows. */
const PANELS: i32 = 8;
/** Elements of a key and of a value. */
const SIZE: i32 = 64;
/** Bytes of a panel of queries, and of sums. */
const PANEL_BYTES: usize = 32 * SIZE;

/** Bytes of a tile of which every element fills four lanes: of keys or of values, the larger. */
function spreadBytes(keys: i32): usize {
  return 16 * <usize>(keys + MOST) * (SIZE + MOST);
}

/** Bytes that `sampleTile` works in. */
export function sampleBytes(keys: i32): usize {
  return 2 * PANEL_BYTES + <usize>keys * (32 + 8 * SIZE) + 2 * spreadBytes(keys);
}

/** Multiply-adds of `sampleTile`. */
export function sampleWork(keys: i32): i32 {
  return 2 * 8 * PANELS * SIZE * keys;
}

/**
 * Both products of one tile of keys and values with some panels, as `attendTile` computes them but without the softmax
 * between them, so that a variant can be timed.
 *
 * @param variant a value of `D.tileVariant`
 * @param keys of the tile
 * @param work `sampleBytes` of memory, which hold finite numbers
 */
export function sampleTile(variant: i32, keys: i32, work: usize): void {
  const stride: usize = 4 * SIZE;
  const query = work;
  const sums = query + PANEL_BYTES;
  const scores = sums + PANEL_BYTES;
  const key = scores + 32 * <usize>keys;
  const value = key + stride * keys;
  const spreadKey = value + stride * keys;
  const spreadValue = spreadKey + spreadBytes(keys);
  const splat = variant == D.variantSplat;
  if (!splat) {
    spread(key, keys, stride, SIZE, 4, spreadKey);
    spread(value, SIZE, 4, keys, stride, spreadValue);
  }
  for (let panel = 0; panel < PANELS; panel++) {
    if (splat) {
      panelScores(query, SIZE, key, stride, keys, scores, false);
      tileValues(scores, keys, value, stride, SIZE, sums, false);
    } else {
      spreadScores(variant, query, SIZE, spreadKey, keys, 0, keys, scores);
      spreadValues(variant, scores, keys, spreadValue, keys, 0, SIZE, sums);
    }
  }
}
