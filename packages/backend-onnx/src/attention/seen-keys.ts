import type { KeyRange } from "@heed/core";

/** Keys of a batch that position rules hide from some of its rows, as ranges. */
export interface SeenKeys {
  /** Hidden from every row. */
  readonly never: readonly KeyRange[];
  /** Seen by some rows and hidden from others. */
  readonly partly: readonly KeyRange[];
}

/**
 * For rows that each see a range, where later rows see later keys: what lies between any two of them is seen.
 *
 * @param starts first key of each row
 * @param ends the key behind each row's last
 */
export function rangeSeen(starts: Int32Array, ends: Int32Array, keyLength: number): SeenKeys {
  let [someStart, someEnd, allStart, allEnd] = [keyLength, 0, 0, keyLength];
  for (let i = 0; i < starts.length; i++) {
    const [start, end] = [starts[i] as number, ends[i] as number];
    if (end !== start) {
      someStart = Math.min(someStart, start);
      someEnd = Math.max(someEnd, end);
    }
    allStart = Math.max(allStart, start);
    allEnd = Math.min(allEnd, end);
  }
  someStart = Math.min(someStart, someEnd);
  const middle = Math.max(someStart, Math.min(someEnd, allStart));
  return {
    never: [
      { start: 0, end: someStart },
      { start: someEnd, end: keyLength },
    ],
    partly: [
      { start: someStart, end: middle },
      { start: Math.max(middle, Math.min(someEnd, allEnd)), end: someEnd },
    ],
  };
}

/** For rows in any order, whose ranges count `ranks` if there are any. */
export function seenByCounts(
  starts: Int32Array,
  ends: Int32Array,
  keyLength: number,
  ranks: Int32Array | null,
): SeenKeys {
  const counts = new Int32Array(keyLength + 1);
  for (let i = 0; i < starts.length; i++) {
    const [start, end] = [starts[i] as number, ends[i] as number];
    counts[start] = (counts[start] as number) + 1;
    counts[end] = (counts[end] as number) - 1;
  }
  for (let at = 1; at < counts.length; at++) {
    counts[at] = (counts[at] as number) + (counts[at - 1] as number);
  }
  const all = starts.length;
  return rangesBy(keyLength, (j) => {
    const count = counts[ranks ? (ranks[j] as number) : j];
    return count === 0 ? "never" : count === all ? null : "partly";
  });
}

/** For one row, or rows that all see the same. @param flags `[keyLength]`: 1 for a key that is seen */
export function seenByFlags(flags: Uint8Array): SeenKeys {
  const never: KeyRange[] = [];
  for (let start = flags.indexOf(0); start >= 0; ) {
    const seen = flags.indexOf(1, start);
    const end = seen < 0 ? flags.length : seen;
    never.push({ start, end });
    start = seen < 0 ? -1 : flags.indexOf(0, end);
  }
  return { never, partly: [] };
}

function rangesBy(keyLength: number, kindOf: (j: number) => keyof SeenKeys | null): SeenKeys {
  const ranges = { never: [] as KeyRange[], partly: [] as KeyRange[] };
  for (let start = 0; start < keyLength; ) {
    const kind = kindOf(start);
    let end = start + 1;
    while (end < keyLength && kindOf(end) === kind) end++;
    if (kind !== null) ranges[kind].push({ start, end });
    start = end;
  }
  return ranges;
}

/** `[batches, keyLength]`: 1 for each key that some row of its batch sees. */
export function keyFlags(seen: readonly SeenKeys[], keyLength: number): Uint8Array {
  const flags = new Uint8Array(seen.length * keyLength).fill(1);
  for (const [b, { never }] of seen.entries()) {
    for (const { start, end } of never) flags.fill(0, b * keyLength + start, b * keyLength + end);
  }
  return flags;
}

/** Keys that some row sees, of the entry with the most. */
export function seenKeys(seen: readonly SeenKeys[], keyLength: number): number {
  const hidden = seen.map(({ never }) =>
    never.reduce((sum, { start, end }) => sum + end - start, 0),
  );
  return keyLength - Math.min(...hidden);
}
