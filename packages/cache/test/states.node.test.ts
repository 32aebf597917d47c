/** Rows of caches of any kind after any history, against a model that keeps every token. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { PagedState } from "../src/state/paged.js";
import { PagePool } from "../src/state/pool.js";
import { RollingState } from "../src/state/rolling.js";
import {
  type CacheState,
  type Chunk,
  chunkOf,
  type PlaceInputs,
  type Placement,
} from "../src/state/state.js";
import { StaticState } from "../src/state/static.js";

/** Memory of a state: the token in each row, as the writes of its placements leave it. */
interface Memory {
  readonly rows: Map<number, number>;
  /** Rows of an entry of static and rolling caches; slots of pages count over the whole pool. */
  readonly perEntry: number;
}

/** A cache of the model: every token that each entry has seen. */
interface Modelled {
  readonly state: CacheState;
  readonly memory: Memory;
  readonly tokens: number[][];
  chunk: Chunk | null;
}

let next = 1;

function write(cache: Modelled, placement: Placement): void {
  const { rows, perEntry } = cache.memory;
  const { slots, n, counts, copies } = placement;
  const size = cache.state instanceof PagedState ? cache.state.pool.size : 0;
  for (const { from, to, rows: count } of copies) {
    for (let i = 0; i < count; i++) rows.set(to * size + i, rows.get(from * size + i) as number);
  }
  const named = new Set<number>();
  for (let b = 0; b < counts.length; b++) {
    for (let i = 0; i < n; i++) {
      const slot = slots[b * n + i] as number;
      const token = next++;
      if (i < (counts[b] as number)) (cache.tokens[b] as number[]).push(token);
      if (slot === -1) continue;
      expect(i).toBeLessThan(counts[b] as number);
      const place = b * perEntry + slot;
      expect(named.has(place)).toBe(false);
      named.add(place);
      rows.set(place, token);
    }
  }
}

/** Tokens that row i of a query of entry b sees, in order of position, by the inputs of the call. */
function seen(cache: Modelled, inputs: PlaceInputs, b: number, i: number, queryLength: number) {
  const { rows, perEntry } = cache.memory;
  const length = inputs.kvLengths[b] as number;
  const { queryOffset, keyPositions, queryPositions, window, mask, pageTable } = inputs;
  const offset = queryOffset === "bottom-right" ? length - queryLength : queryOffset?.[b];
  const p = queryPositions
    ? (queryPositions.data[b * queryLength + i] as number)
    : Number(offset) + i;
  const found: number[] = [];
  for (let j = 0; j < length; j++) {
    const position = keyPositions ? (keyPositions.data[b * perEntry + j] as number) : j;
    if (position > p) continue;
    if (window && position < p - window.left) continue;
    if (mask && !mask.data[(b * queryLength + i) * perEntry + j]) continue;
    let slot = b * perEntry + j;
    if (pageTable && cache.state instanceof PagedState) {
      const { size } = cache.state.pool;
      const perSequence = pageTable.shape[1] as number;
      const page = pageTable.data[b * perSequence + Math.floor(j / size)] as number;
      slot = page * size + (j % size);
    }
    found.push(rows.get(slot) as number);
  }
  return found.sort((a, b) => a - b);
}

const sizes = fc.record({
  batch: fc.integer({ min: 1, max: 3 }),
  window: fc.integer({ min: 0, max: 6 }),
  keep: fc.integer({ min: 0, max: 3 }),
  more: fc.integer({ min: 0, max: 6 }),
  pageSize: fc.integer({ min: 1, max: 4 }),
  pages: fc.integer({ min: 1, max: 12 }),
});
type Sizes = typeof sizes extends fc.Arbitrary<infer S> ? S : never;

const step = fc.record({
  what: fc.constantFrom(
    "append",
    "append",
    "append",
    "truncate",
    "reorder",
    "fork",
    "clear",
    "save",
  ),
  n: fc.integer({ min: 0, max: 9 }),
  cache: fc.nat(5),
  numbers: fc.array(fc.nat(20), { minLength: 3, maxLength: 3 }),
  ragged: fc.boolean(),
});

const kinds: Readonly<Record<string, (s: Sizes) => { state: CacheState; perEntry: number }>> = {
  static: ({ batch, more }) => ({ state: new StaticState(batch, 10 + more), perEntry: 10 + more }),
  rolling: ({ batch, window, keep, more }) => {
    const capacity = keep + window + 1 + more;
    return { state: new RollingState({ batch, capacity, window, keep }), perEntry: capacity };
  },
  paged: ({ batch, pageSize, pages }) => {
    const pool = new PagePool(pages, pageSize);
    return { state: new PagedState(batch, pages * pageSize, pool), perEntry: 0 };
  },
};

/** Everything that a state says, to see whether a call that failed has changed it. */
function told({ state, chunk }: Modelled): string {
  const free = state instanceof PagedState ? state.pool.free : 0;
  const say = (queryLength: number): unknown => {
    try {
      return state.inputs(queryLength, chunk?.n === queryLength ? chunk : null);
    } catch (error) {
      return String(error);
    }
  };
  return JSON.stringify([state.save(), state.rewindable(), free, say(1), say(chunk?.n ?? 2)]);
}

test.each(Object.keys(kinds))("%s: each row sees the tokens that it should", (kind) => {
  fc.assert(
    fc.property(sizes, fc.array(step, { maxLength: 25 }), (s, steps) => {
      const rolling = kind === "rolling";
      const made = (kinds[kind] as (typeof kinds)[string])(s);
      const memory = { rows: new Map<number, number>(), perEntry: made.perEntry };
      const tokens = Array.from({ length: s.batch }, (): number[] => []);
      const caches: Modelled[] = [{ state: made.state, memory, tokens, chunk: null }];
      for (const { what, n, cache: index, numbers, ragged } of steps) {
        const cache = caches[index % caches.length] as Modelled;
        const { state } = cache;
        const before = told(cache);
        const lengths = cache.tokens.map(({ length }) => length);
        const order = Int32Array.from(
          { length: s.batch },
          (_, b) => (numbers[b] as number) % s.batch,
        );
        if (what === "append") {
          const counts = Int32Array.from({ length: s.batch }, (_, b) =>
            ragged ? (numbers[b] as number) % (n + 1) : n,
          );
          let placement: Placement;
          try {
            placement = state.place(counts, n);
          } catch {
            expect(rolling).toBe(false);
            expect(told(cache)).toBe(before);
            continue;
          }
          if (numbers[0] === 7 && !rolling) {
            state.abandon(placement);
            expect(told(cache)).toBe(before);
            continue;
          }
          cache.chunk = chunkOf({ n, counts }, state.lengths);
          write(cache, placement);
          state.commit(placement);
        } else if (what === "truncate") {
          const to = lengths.map((length, b) => Math.max(0, length - (numbers[b] as number)));
          const back = state.rewindable();
          const within = to.every(
            (length, b) => (lengths[b] as number) - length <= (back[b] as number),
          );
          try {
            state.truncate(Int32Array.from(to));
          } catch {
            expect(within).toBe(false);
            expect(told(cache)).toBe(before);
            continue;
          }
          for (const [b, length] of to.entries()) (cache.tokens[b] as number[]).length = length;
          cache.chunk = null;
        } else if (what === "reorder") {
          state.reorder(order);
          const moved = [...order].map((from) => [...(cache.tokens[from] as number[])]);
          cache.tokens.splice(0, s.batch, ...moved);
          cache.chunk = null;
          if (kind !== "paged") {
            const rows = new Map(cache.memory.rows);
            cache.memory.rows.clear();
            for (const [b, from] of order.entries()) {
              for (let row = 0; row < made.perEntry; row++) {
                const token = rows.get(from * made.perEntry + row);
                if (token !== undefined) cache.memory.rows.set(b * made.perEntry + row, token);
              }
            }
          }
        } else if (what === "clear") {
          state.clear();
          for (const list of cache.tokens) list.length = 0;
          cache.chunk = null;
        } else if (what === "fork") {
          const rows = kind === "paged" ? cache.memory.rows : new Map(cache.memory.rows);
          const copied = cache.tokens.map((list) => [...list]);
          const { chunk } = cache;
          if (caches.length < 4) {
            const memory = { rows, perEntry: made.perEntry };
            caches.push({ state: state.fork(), memory, tokens: copied, chunk });
          }
        } else if (kind !== "paged") {
          const again = (kinds[kind] as (typeof kinds)[string])(s).state;
          again.restore(state.save());
          expect(told({ ...cache, state: again })).toBe(before);
        }
        for (const each of caches) checkRows(each, s, rolling);
      }
      // Pages come back when nobody needs them.
      for (const { state } of caches) state.clear();
      if (made.state instanceof PagedState) expect(made.state.pool.free).toBe(s.pages);
    }),
    { numRuns: 150 },
  );
});

/** Checks every row of queries of the latest append, and of the last row alone. */
function checkRows(cache: Modelled, { batch, window, keep }: Sizes, rolling: boolean): void {
  expect([...cache.state.lengths]).toEqual(cache.tokens.map(({ length }) => length));
  const windows = rolling ? [window, Math.floor(window / 2)] : [window];
  for (const queryLength of new Set([1, cache.chunk?.n ?? 1])) {
    const chunk = cache.chunk?.n === queryLength ? cache.chunk : null;
    for (const [look, own] of windows.flatMap((look) => [false, true].map((own) => [look, own]))) {
      let inputs: PlaceInputs;
      try {
        inputs = cache.state.inputs(queryLength, chunk, look as number, own as boolean);
      } catch (error) {
        expect(rolling, String(error)).toBe(true);
        continue;
      }
      for (let b = 0; b < batch; b++) {
        const tokens = cache.tokens[b] as number[];
        if (own) checkPositions(cache, inputs, b);
        const uneven = chunk?.counts.some((count) => count !== chunk.n) ?? false;
        const first = uneven ? (chunk?.starts?.[b] as number) : tokens.length - queryLength;
        const rows = uneven ? (chunk?.counts[b] as number) : queryLength;
        for (let i = 0; i < rows; i++) {
          const p = first + i;
          const expected = tokens.filter(
            (_, t) => t <= p && (!rolling || t >= p - (look as number) || t < keep),
          );
          expect(seen(cache, inputs, b, i, queryLength)).toEqual(expected);
        }
      }
    }
  }
}

/** Each row of an entry that holds a token has the position of that token. */
function checkPositions({ memory, tokens }: Modelled, { keyPositions }: PlaceInputs, b: number) {
  const { rows, perEntry } = memory;
  for (let row = 0; keyPositions && row < perEntry; row++) {
    const position = keyPositions.data[b * perEntry + row] as number;
    if (position >= 0) expect(rows.get(b * perEntry + row)).toBe(tokens[b]?.[position]);
  }
}

test("rolling: rows that a chunk needs are there as long as it is no longer than what the cache says", () => {
  fc.assert(
    fc.property(sizes, fc.array(fc.integer({ min: 1, max: 12 })), (s, chunks) => {
      const capacity = s.keep + s.window + 1 + s.more;
      const state = new RollingState({ ...s, capacity });
      for (const n of chunks) {
        const starts = state.lengths.slice();
        const counts = new Int32Array(s.batch).fill(n);
        state.commit(state.place(counts, n));
        const run = () => state.inputs(n, chunkOf({ n, counts }, starts));
        if (n <= 1 + s.more) run();
        const all = n + (starts[0] as number);
        if (n > 1 + s.more && all > capacity && (starts[0] as number) > s.keep + s.window) {
          expect(run).toThrow(`at most ${1 + s.more} rows`);
        }
        if (all > capacity) expect(state.rewindable()[0]).toBe(1 + s.more);
      }
    }),
  );
});

test("rows of a rolling cache that an append may have written hold no token when it is given up", () => {
  const state = new RollingState({ batch: 1, capacity: 4, window: 2, keep: 0 });
  state.commit(state.place(Int32Array.of(4), 4));
  expect(state.rewindable()).toEqual([4]);
  state.abandon(state.place(Int32Array.of(1), 1));
  const { keyPositions, kvLengths } = state.inputs(1, null);
  expect(keyPositions?.data[0]).toBeLessThan(-1000);
  expect([...(keyPositions?.data.slice(1) ?? [])]).toEqual([1, 2, 3]);
  expect([...kvLengths]).toEqual([4]);
  expect(state.rewindable()).toEqual([1]);
});

test("an entry of a paged cache takes no more tokens than it may have, also within its last page", () => {
  const state = new PagedState(1, 6, new PagePool(4, 4));
  state.commit(state.place(Int32Array.of(5), 5));
  expect(() => state.place(Int32Array.of(2), 2)).toThrow("at most 1 more tokens");
  state.commit(state.place(Int32Array.of(1), 1));
  expect(() => state.place(Int32Array.of(1), 1)).toThrow("at most 0 more tokens");
  expect([...state.lengths]).toEqual([6]);
});
