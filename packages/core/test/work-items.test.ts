import {
  describeProblem,
  InvalidInputError,
  keyHeadOf,
  keysOfItem,
  visibleBand,
  workGrid,
  workItem,
  zeros,
} from "@heed/core";
import { describe, expect, test } from "vitest";

interface Sizes {
  readonly batch: number;
  readonly queryHeads: number;
  readonly kvHeads: number;
  readonly queryLength: number;
  readonly keyLength: number;
}

function problemOf({ batch, queryHeads, kvHeads, queryLength, keyLength }: Sizes) {
  const kv = zeros("float32", [batch, kvHeads, keyLength, 2]);
  return describeProblem({
    query: zeros("float32", [batch, queryHeads, queryLength, 2]),
    key: kv,
    value: kv,
    window: { left: 2, right: 1 },
    queryOffset: 0,
  });
}

const shapes: readonly (readonly [Sizes, rows: number])[] = [
  [{ batch: 2, queryHeads: 6, kvHeads: 2, queryLength: 5, keyLength: 9 }, 4],
  [{ batch: 3, queryHeads: 2, kvHeads: 2, queryLength: 7, keyLength: 7 }, 7],
  [{ batch: 1, queryHeads: 4, kvHeads: 1, queryLength: 1, keyLength: 8 }, 16],
  [{ batch: 2, queryHeads: 2, kvHeads: 1, queryLength: 3, keyLength: 4 }, 1],
];

describe("work items", () => {
  test.each(shapes)("of %o, %i rows each, have every row of every head once", (sizes, rows) => {
    const problem = problemOf(sizes);
    const grid = workGrid(problem, rows);
    const found: string[] = [];
    for (let index = 0; index < grid.items; index++) {
      const { batch, keyHead, start, end } = workItem(grid, index);
      expect(end - start).toBeLessThanOrEqual(rows);
      for (let r = start; r < end; r++) {
        const head = keyHead * grid.group + (r % grid.group);
        expect(keyHeadOf(problem, head)).toBe(keyHead);
        found.push(`${batch} ${head} ${Math.floor(r / grid.group)}`);
      }
    }
    const { batch, queryHeads, queryLength } = sizes;
    expect(new Set(found).size).toBe(found.length);
    expect(found.length).toBe(batch * queryHeads * queryLength);
  });

  test.each(shapes)(
    "of %o, %i rows each, see the keys that one of their rows sees",
    (sizes, rows) => {
      const problem = problemOf(sizes);
      const grid = workGrid(problem, rows);
      const band = visibleBand(problem);
      const length = sizes.keyLength - 1;
      for (const offset of [-3, 0, 2, 20]) {
        for (let index = 0; index < grid.items; index++) {
          const item = workItem(grid, index);
          const keys = keysOfItem(grid, item, band, offset, length);
          const seen: number[] = [];
          for (let j = 0; j < length; j++) {
            for (let r = item.start; r < item.end; r++) {
              const p = Math.floor(r / grid.group) + offset;
              if (p - 2 <= j && j <= p + 1 && !seen.includes(j)) seen.push(j);
            }
          }
          expect(Array.from({ length: keys.end - keys.start }, (_, i) => keys.start + i)).toEqual(
            seen,
          );
        }
      }
    },
  );

  test("are none where there are no rows or heads", () => {
    const none = { batch: 2, queryHeads: 2, kvHeads: 2, queryLength: 0, keyLength: 3 };
    expect(workGrid(problemOf(none), 4).items).toBe(0);
    expect(workGrid(problemOf({ ...none, queryHeads: 0, kvHeads: 0 }), 4).items).toBe(0);
  });

  test.each([0, -1, 1.5, Number.NaN, "4"])("do not have %s rows", (rows) => {
    const [[sizes]] = shapes as [[Sizes, number]];
    expect(() => workGrid(problemOf(sizes), rows as number)).toThrow(InvalidInputError);
  });

  describe("of what is no grid, item or number are refused", () => {
    const [[sizes]] = shapes as [[Sizes, number]];
    const problem = problemOf(sizes);
    const [grid, band] = [workGrid(problem, 4), visibleBand(problem)];
    const item = workItem(grid, 0);
    const refusal = (argument: string, expected: string) =>
      expect.objectContaining({ argument, expected });
    test.each(["blocks", "rows", "kvHeads", "stackedRows"])("grid.%s", (name) => {
      const wrong = { ...grid, [name]: "4" } as never;
      expect(() => workItem(wrong, 0)).toThrow(refusal("grid", "what workGrid gives"));
    });
    test.each([
      [{ ...grid, group: "3" }, item],
      [grid, { ...item, start: "0" }],
      [grid, { ...item, end: null }],
    ])("%j, %j", (ofGrid, ofItem) => {
      const run = () => keysOfItem(ofGrid as never, ofItem as never, band, 0, 4);
      expect(run).toThrow(refusal("item", "what workItem gives"));
    });
    test("numbers", () => {
      expect(() => workItem(grid, "0" as never)).toThrow(refusal("index", "a number"));
      const run = (offset: unknown, length: unknown) => () =>
        keysOfItem(grid, item, band, offset as never, length as never);
      expect(run("0", 4)).toThrow(refusal("offset", "a number"));
      expect(run(0, "4")).toThrow(refusal("length", "a number"));
      expect(() => workGrid(problem, "4" as never)).toThrow(refusal("rows", "a number"));
      expect(() => workGrid(problem, 0)).toThrow(refusal("rows", "an integer ≥ 1"));
    });
  });
});
