import type { Part } from "./matrix.js";

/** Whether the mask hides all of a tile, some of it, or nothing. */
export type TileKind = "empty" | "partial" | "full";

/** The tiles of a map. */
export interface Tiles {
  /** Queries, and keys, of a tile. */
  readonly size: number;
  /** An empty tile is skipped. */
  readonly kind: (query: number, key: number) => TileKind;
  /** Whether every tile has an outline; left out, only those that are skipped are marked. */
  readonly outlined?: boolean;
}

/** The position of a map on a canvas: the place of its first query and key, and the side of a cell. */
export interface MapPlace {
  readonly x: number;
  readonly y: number;
  readonly cell: number;
}

/** Ground of the keys that a mask hides. */
export function hiddenGround(isDark: boolean): string {
  return isDark ? "#0e1116" : "#e3e6ec";
}

/** Ground of a tile that is skipped, and the stroke across it. */
export function skippedColours(isDark: boolean): {
  readonly ground: string;
  readonly line: string;
} {
  return isDark
    ? { ground: "#12151b", line: "rgb(255 255 255 / 0.12)" }
    : { ground: "#eef0f4", line: "rgb(20 30 60 / 0.13)" };
}

/** Numbers of the tiles that reach into a part, and of those, the ones of a kind if it is given. */
export function tilesIn(
  { size, kind }: Tiles,
  { firstRow, rows, firstColumn, columns }: Part,
  only?: TileKind,
): (readonly [query: number, key: number])[] {
  const found: [number, number][] = [];
  for (let query = Math.floor(firstRow / size); query * size < firstRow + rows; query++) {
    for (let key = Math.floor(firstColumn / size); key * size < firstColumn + columns; key++) {
      if (only === undefined || kind(query, key) === only) found.push([query, key]);
    }
  }
  return found;
}

/** Draws the tiles of a part over its cells: a skipped one is the page's ground with a stroke across it. */
export function drawTiles(
  context: CanvasRenderingContext2D,
  tiles: Tiles,
  part: Part,
  place: MapPlace,
  isDark: boolean,
): void {
  const side = tiles.size * place.cell;
  const at = (tile: number, start: number): number => start + tile * side;
  const skipped = tilesIn(tiles, part, "empty");
  const { ground, line } = skippedColours(isDark);
  context.beginPath();
  for (const [query, key] of skipped) {
    context.rect(at(key, place.x), at(query, place.y), side, side);
  }
  context.fillStyle = ground;
  context.fill();
  context.beginPath();
  for (const [query, key] of skipped) {
    context.moveTo(at(key, place.x), at(query + 1, place.y));
    context.lineTo(at(key + 1, place.x), at(query, place.y));
  }
  context.strokeStyle = line;
  context.lineWidth = 1.5;
  context.stroke();
  if (!tiles.outlined) return;
  context.beginPath();
  for (const [query, key] of tilesIn(tiles, part)) {
    context.rect(at(key, place.x) + 0.5, at(query, place.y) + 0.5, side - 1, side - 1);
  }
  context.strokeStyle = isDark ? "rgb(255 255 255 / 0.16)" : "rgb(20 30 60 / 0.14)";
  context.lineWidth = 1;
  context.stroke();
}
