import { shown } from "../model/tokens.js";
import { css } from "./colours.js";
import { colourOf, type Matrix, type Part, paint } from "./matrix.js";
import { drawTiles, hiddenGround, skippedColours, type Tiles, tilesIn } from "./tiles.js";

export type Format = "png" | "svg" | "json";

const cell = 18;
const gutter = 90;
/** Most cells that an SVG draws one by one; larger ones hold an image. */
const mostCells = 10_000;

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (mark) => `&#${mark.charCodeAt(0)};`);

/** Words of the queries and of the keys. */
export interface Labels {
  readonly queries: readonly string[];
  readonly keys: readonly string[];
}

/** The part of a map that is saved. */
export interface SavedMap {
  readonly matrix: Matrix;
  readonly labels: Labels;
  readonly part: Part;
  readonly title: string;
  readonly tiles?: Tiles | undefined;
}

/** A map as SVG, with its words. @param image address of its picture, for large parts */
export function toSvg({ matrix, labels, part, title, tiles }: SavedMap, image?: string): string {
  const colour = colourOf(matrix, false);
  const large = part.rows * part.columns > mostCells;
  const size = large ? 1 : cell;
  const left = large ? 0 : gutter;
  const [width, height] = [left + size * part.columns, left + size * part.rows];
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="11">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
  ];
  if (large) lines.push(`<image href="${image}" width="${width}" height="${height}"/>`);
  const hidden = tiles ? hiddenGround(false) : "none";
  for (let i = 0; i < part.rows && !large; i++) {
    const y = gutter + i * cell;
    const label = escaped(shown(labels.queries[part.firstRow + i] ?? ""));
    lines.push(`<text x="${gutter - 6}" y="${y + 13}" text-anchor="end">${label}</text>`);
    const row = matrix.row(part.firstRow + i);
    for (let j = 0; j < part.columns; j++) {
      const value = row?.[part.firstColumn + j] ?? Number.NaN;
      const fill = Number.isNaN(value) ? hidden : css(colour(value));
      const x = gutter + j * cell;
      lines.push(`<rect x="${x}" y="${y}" width="${cell}" height="${cell}" fill="${fill}"/>`);
    }
  }
  for (let j = 0; j < part.columns && !large; j++) {
    const x = gutter + j * cell + 12;
    const label = escaped(shown(labels.keys[part.firstColumn + j] ?? ""));
    lines.push(`<text transform="translate(${x} ${gutter - 6}) rotate(-90)">${label}</text>`);
  }
  if (tiles && !large) lines.push(...skippedTiles(tiles, part));
  return `${lines.join("\n")}\n</svg>\n`;
}

/** The tiles of a part that are skipped, as SVG: each one its ground, and a line across it. */
function skippedTiles(tiles: Tiles, part: Part): string[] {
  const { ground, line } = skippedColours(false);
  const { firstRow, rows, firstColumn, columns } = part;
  const skipped = tilesIn(tiles, part, "empty").map(([query, key]) => {
    const x = gutter + cell * (key * tiles.size - firstColumn);
    const y = gutter + cell * (query * tiles.size - firstRow);
    const side = cell * tiles.size;
    return `<path fill="${ground}" d="M${x} ${y}h${side}v${side}h${-side}z"/><path stroke="${line}" stroke-width="1.5" d="M${x} ${y + side}L${x + side} ${y}"/>`;
  });
  // A tile may reach past the part.
  const clip = `<clipPath id="part"><rect x="${gutter}" y="${gutter}" width="${cell * columns}" height="${cell * rows}"/></clipPath>`;
  return [clip, `<g clip-path="url(#part)">`, ...skipped, "</g>"];
}

/** A map as data: its words and numbers; keys that are hidden are null. Tiles are those of the whole map. */
export function toJson({ matrix, labels, part, title, tiles }: SavedMap): string {
  const { firstRow, rows, firstColumn, columns } = part;
  return JSON.stringify({
    title,
    quantity: matrix.quantity,
    firstQuery: firstRow,
    firstKey: firstColumn,
    queries: labels.queries.slice(firstRow, firstRow + rows),
    keys: labels.keys.slice(firstColumn, firstColumn + columns),
    rows: Array.from({ length: rows }, (_, i) => {
      const row = matrix.row(firstRow + i);
      return row ? [...row.subarray(firstColumn, firstColumn + columns)] : null;
    }),
    ...(tiles && { tiles: { size: tiles.size, kinds: tileKinds(tiles, matrix) } }),
  });
}

/** The kinds of all tiles, row by row. */
function tileKinds({ size, kind }: Tiles, { rows, columns }: Matrix): string[][] {
  return Array.from({ length: Math.ceil(rows / size) }, (_, query) =>
    Array.from({ length: Math.ceil(columns / size) }, (_, key) => kind(query, key)),
  );
}

function canvasOf({ matrix, part, tiles }: SavedMap): HTMLCanvasElement {
  const small = document.createElement("canvas");
  small.width = part.columns;
  small.height = part.rows;
  small.getContext("2d")?.putImageData(paint(matrix, part, false), 0, 0);
  const scale = part.columns * part.rows > mostCells ? 1 : cell;
  const canvas = document.createElement("canvas");
  canvas.width = part.columns * scale;
  canvas.height = part.rows * scale;
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser draws no pictures");
  if (tiles) {
    context.fillStyle = hiddenGround(false);
    context.fillRect(0, 0, canvas.width, canvas.height);
  }
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
  if (tiles) {
    const place = { x: -part.firstColumn * scale, y: -part.firstRow * scale, cell: scale };
    drawTiles(context, tiles, part, place, false);
  }
  return canvas;
}

/** Saves a map as a file, in the colours of light pages. */
export async function save(format: Format, map: SavedMap): Promise<void> {
  let blob: Blob | null;
  if (format === "png") {
    const canvas = canvasOf(map);
    blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    if (!blob) throw new Error("this browser could not write the picture");
  } else if (format === "svg") {
    const image = canvasOf(map).toDataURL("image/png");
    blob = new Blob([toSvg(map, image)], { type: "image/svg+xml" });
  } else {
    blob = new Blob([toJson(map)], { type: "application/json" });
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `attention.${format}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
