import {
  InvalidInputError,
  keyHeadOf,
  rowsSeeing,
  tileVisibility,
  visibleBand,
  visibleKeys,
} from "@heed/core";
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

test("a tile without keys is empty, whatever the band", () => {
  const all = { left: Number.POSITIVE_INFINITY, right: Number.POSITIVE_INFINITY };
  expect(tileVisibility(all, { start: 4, end: 4 }, 0, 9)).toBe("empty");
});

describe("what is no number is a typed error that names the argument", () => {
  const band = { left: 1, right: 1 };
  const tile = { start: 0, end: 4 };
  const throwing = {
    get causal(): boolean {
      throw new Error("not readable");
    },
  };
  // biome-ignore lint/suspicious/noExplicitAny: wrong arguments
  const wrong = (value: unknown) => value as any;
  test.each<[argument: string, call: () => unknown]>([
    ["problem", () => visibleBand(wrong(throwing))],
    ["band", () => visibleKeys(wrong({ left: "1", right: 1 }), 4, 0)],
    ["band", () => visibleKeys(wrong({ left: 1 }), 4, 0)],
    ["band", () => visibleKeys(wrong(null), 4, 0)],
    ["length", () => visibleKeys(band, wrong("4"), 0)],
    ["first", () => visibleKeys(band, 4, wrong("0"))],
    ["last", () => visibleKeys(band, 4, 0, wrong("0"))],
    ["tile", () => tileVisibility(band, wrong({ start: 0 }), 0, 1)],
    ["first", () => tileVisibility(band, tile, wrong("0"), 1)],
    ["last", () => tileVisibility(band, tile, 0, wrong("1"))],
    ["rows", () => rowsSeeing(band, tile, [0], wrong("1"))],
    ["positions", () => rowsSeeing(band, tile, wrong(null), 1)],
    ["positions", () => rowsSeeing(band, tile, wrong("01"), 1)],
    ["positions", () => rowsSeeing(band, tile, wrong(["0"]), 1)],
    [
      "positions",
      () =>
        rowsSeeing(
          band,
          tile,
          wrong(
            new Proxy([], {
              get: () => {
                throw new Error();
              },
            }),
          ),
          1,
        ),
    ],
    ["queryHead", () => keyHeadOf({ queryHeads: 2, kvHeads: 1 }, wrong("1"))],
  ])("%s", (argument, call) => {
    expect(call).toThrow(InvalidInputError);
    expect(call).toThrow(expect.objectContaining({ argument }));
  });
  test.each([{ left: "1", right: 1 }, { left: 1 }, { right: 1 }, {}])(
    "a band that is %j",
    (given) => {
      const error = { argument: "band", expected: "an object with numbers left and right" };
      expect(() => visibleKeys(wrong(given), 4, 0)).toThrow(expect.objectContaining(error));
    },
  );
  test.each([5, null, "01", undefined])("positions that are %j", (positions) => {
    const call = () => rowsSeeing(band, tile, wrong(positions), 1);
    expect(call).toThrow(
      expect.objectContaining({ argument: "positions", expected: "an array of numbers" }),
    );
  });
});
