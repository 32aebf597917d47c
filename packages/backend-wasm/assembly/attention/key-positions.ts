import { keyPositions } from "./row-state";

// Keys whose positions are data: what of a tile the rows see depends on these, and not on the keys' order.

/** First of the keys `from ≤ j < to` whose position is from `low` to `high`; `to` if there is none. */
export function firstWithin(from: i32, to: i32, low: i32, high: i32): i32 {
  let p = keyPositions + 4 * <usize>from;
  while (from < to) {
    const position = load<i32>(p);
    if (position >= low && position <= high) break;
    p += 4;
    from += 1;
  }
  return from;
}

/** Key after the last of `from ≤ j < to` whose position is from `low` to `high`; `from` if there is none. */
export function lastWithin(from: i32, to: i32, low: i32, high: i32): i32 {
  let p = keyPositions + 4 * <usize>to;
  while (to > from) {
    p -= 4;
    const position = load<i32>(p);
    if (position >= low && position <= high) break;
    to -= 1;
  }
  return to;
}

/** Whether the positions of all keys `from ≤ j < to` are from `low` to `high`. */
export function allWithin(from: i32, to: i32, low: i32, high: i32): bool {
  let p = keyPositions + 4 * <usize>from;
  const fours = p + 4 * <usize>((to - from) & -4);
  const end = keyPositions + 4 * <usize>to;
  const lowest = i32x4.splat(low);
  const highest = i32x4.splat(high);
  let outside = i32x4.splat(0);
  while (p < fours) {
    const positions = v128.load(p);
    outside = v128.or(outside, i32x4.lt_s(positions, lowest));
    outside = v128.or(outside, i32x4.gt_s(positions, highest));
    p += 16;
  }
  if (v128.any_true(outside)) return false;
  while (p < end) {
    const position = load<i32>(p);
    if (position < low || position > high) return false;
    p += 4;
  }
  return true;
}
