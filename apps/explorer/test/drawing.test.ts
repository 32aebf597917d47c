/** Maps as they are saved, and the tiles that are drawn over them. */
import { describe, expect, test } from "vitest";
import type { Matrix } from "../page/drawing/matrix.js";
import { type SavedMap, toJson, toSvg } from "../page/drawing/save.js";
import { type Tiles, tilesIn } from "../page/drawing/tiles.js";
import { maskMatrix, masks, type NamedMask } from "../page/measure/masks.js";

/** Tiles of 4 × 4, of which those above the diagonal are skipped. */
const tiles: Tiles = {
  size: 4,
  kind: (query, key) => (key > query ? "empty" : key === query ? "partial" : "full"),
};

const matrix: Matrix = {
  ...{ rows: 8, columns: 8, quantity: "scores", most: 1 },
  row: (i) => Float32Array.from({ length: 8 }, (_, j) => (j > i ? Number.NaN : j / 8)),
};

const names = Array.from({ length: 8 }, (_, i) => `t${i}`);
const whole = { firstRow: 0, rows: 8, firstColumn: 0, columns: 8 };
const map: SavedMap = { matrix, labels: { queries: names, keys: names }, part: whole, title: "a" };

describe("tiles of a part", () => {
  test("are those that reach into it, of one kind where that is asked for", () => {
    expect(tilesIn(tiles, whole)).toHaveLength(4);
    expect(tilesIn(tiles, whole, "empty")).toEqual([[0, 1]]);
    expect(tilesIn(tiles, { firstRow: 4, rows: 1, firstColumn: 2, columns: 3 })).toEqual([
      [1, 0],
      [1, 1],
    ]);
  });
});

describe("a saved map", () => {
  test("has hidden keys as null in data, and the kinds of its tiles", () => {
    const data = JSON.parse(toJson({ ...map, tiles }));
    expect(data.rows[1].slice(0, 3)).toEqual([0, 0.125, null]);
    expect(data.tiles).toEqual({
      size: 4,
      kinds: [
        ["partial", "empty"],
        ["full", "partial"],
      ],
    });
    expect(JSON.parse(toJson(map)).tiles).toBe(undefined);
  });

  test("has skipped tiles in SVG, cut off at the ends of its part", () => {
    const svg = toSvg({ ...map, tiles });
    expect(svg.match(/<path fill="#eef0f4" d="M162 90h72v72h-72z"\/>/g)).toHaveLength(1);
    expect(svg.match(/fill="#e3e6ec"/g)).toHaveLength(28);
    const part = { firstRow: 1, rows: 2, firstColumn: 3, columns: 2 };
    const cut = toSvg({ ...map, tiles, part });
    expect(cut).toContain('<clipPath id="part"><rect x="90" y="90" width="36" height="36"/>');
    expect(cut).toContain('d="M108 72h72v72h-72z"');
    expect(toSvg(map)).not.toContain("<path");
  });
});

test("a mask as a map has 1 where a query sees a key", () => {
  const { program } = masks.find(({ name }) => name === "prefix") as NamedMask;
  const { row } = maskMatrix(program());
  const seen = (query: number) => row(query)?.reduce((sum, one) => sum + one, 0);
  expect([seen(0), seen(255), seen(256), seen(1023)]).toEqual([256, 256, 257, 1024]);
});
