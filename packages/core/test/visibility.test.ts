import { keyHeadOf, rowsSeeing, tileVisibility, visibleKeys } from "@heed/core";
import { describe, expect, test } from "vitest";

describe("visibility, against the rule itself", () => {
  const sees = (p: number, j: number, left: number, right: number) =>
    p - left <= j && j <= p + right;
  const edges = [0, 1, 3, Number.POSITIVE_INFINITY];
  const length = 12;

  test("visibleKeys spans exactly the keys that some row sees", () => {
    for (const left of edges) {
      for (const right of edges) {
        for (let first = -16; first < 16; first++) {
          for (const rows of [1, 2, 5]) {
            const last = first + rows - 1;
            const { start, end } = visibleKeys({ left, right }, length, first, last);
            for (let j = 0; j < length; j++) {
              const seen = Array.from({ length: rows }, (_, i) => first + i).some((p) =>
                sees(p, j, left, right),
              );
              expect(j >= start && j < end).toBe(seen);
            }
          }
        }
      }
    }
  });

  test("rowsSeeing and tileVisibility agree with it row by row", () => {
    const tile = { start: 4, end: 7 };
    for (const left of edges) {
      for (const right of edges) {
        for (let first = -8; first < 16; first++) {
          // Two heads stacked: each position twice.
          const positions = [0, 0, 1, 1, 2, 2].map((i) => first + i);
          const { from, to } = rowsSeeing({ left, right }, tile, positions, positions.length);
          const anySeen = positions.map((p) => [4, 5, 6].some((j) => sees(p, j, left, right)));
          const inside = positions.map((_, r) => r >= from && r < to);
          // Rows in the middle may see nothing only where the window is narrower than a gap: never.
          expect(inside).toEqual(anySeen);
          const all = positions.every((p) => [4, 5, 6].every((j) => sees(p, j, left, right)));
          const last = positions.at(-1) as number;
          const any = anySeen.some(Boolean);
          expect(tileVisibility({ left, right }, tile, first, last)).toBe(
            all ? "full" : any ? "partial" : "empty",
          );
        }
      }
    }
  });
});

test("query heads share key heads in order", () => {
  const heads = { queryHeads: 6, kvHeads: 2 };
  expect([0, 1, 2, 3, 4, 5].map((h) => keyHeadOf(heads, h))).toEqual([0, 0, 0, 1, 1, 1]);
});
