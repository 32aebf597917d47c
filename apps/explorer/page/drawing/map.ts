import { shown } from "../model/tokens.js";
import { type Matrix, type Part, paint } from "./matrix.js";
import type { Labels } from "./save.js";
import { drawTiles, hiddenGround, type Tiles } from "./tiles.js";

/** A map as it is drawn in a frame that scrolls. Lengths are in CSS pixels. */
export interface MapView {
  readonly matrix: Matrix;
  readonly labels: Labels;
  readonly tiles?: Tiles | undefined;
  /** Side of a cell. */
  readonly cell: number;
  /** Width of the words beside the cells, and height of those above; 0 for none. */
  readonly gutter: number;
  readonly isDark: boolean;
  /** The cell that is marked. */
  readonly cursor: readonly [query: number, key: number] | null;
}

/** Cells on screen, a pixel each. They are painted again only where they have changed. */
export class Cells {
  readonly #canvas = new OffscreenCanvas(1, 1);
  #painted: readonly unknown[] = [];

  of(matrix: Matrix, part: Part, isDark: boolean): OffscreenCanvas {
    const { firstRow, rows, firstColumn, columns } = part;
    const wanted = [matrix, isDark, firstRow, rows, firstColumn, columns];
    if (wanted.every((one, at) => one === this.#painted[at])) return this.#canvas;
    if (this.#canvas.width !== columns || this.#canvas.height !== rows) {
      Object.assign(this.#canvas, { width: columns, height: rows });
    }
    // In JavaScript's memory, where its pixels are made.
    const context = this.#canvas.getContext("2d", { willReadFrequently: true });
    context?.putImageData(paint(matrix, part, isDark), 0, 0);
    this.#painted = wanted;
    return this.#canvas;
  }
}

/** The part of a map that a frame shows. */
export function partOnScreen({ matrix, cell, gutter }: MapView, box: HTMLElement): Part {
  const { scrollLeft, scrollTop, clientWidth, clientHeight } = box;
  const along = (scrolled: number, length: number, count: number): readonly [number, number] => {
    const first = Math.floor(scrolled / cell);
    return [first, Math.min(count, Math.ceil((scrolled + length - gutter) / cell)) - first];
  };
  const [firstRow, rows] = along(scrollTop, clientHeight, matrix.rows);
  const [firstColumn, columns] = along(scrollLeft, clientWidth, matrix.columns);
  return { firstRow, rows, firstColumn, columns };
}

/** Draws the part that is on screen, with its words and the cursor. */
export function drawMap(
  target: HTMLCanvasElement,
  box: HTMLElement,
  view: MapView,
  part: Part,
  cells: Cells,
): void {
  const context = target.getContext("2d");
  if (!context) return;
  const { matrix, tiles, cell, gutter, isDark, cursor } = view;
  const [width, height] = [box.clientWidth, box.clientHeight];
  const ratio = devicePixelRatio;
  if (target.width !== Math.round(width * ratio) || target.height !== Math.round(height * ratio)) {
    target.width = Math.round(width * ratio);
    target.height = Math.round(height * ratio);
    Object.assign(target.style, { width: `${width}px`, height: `${height}px` });
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const { firstRow, rows, firstColumn, columns } = part;
  if (rows <= 0 || columns <= 0) return;
  const origin = { x: gutter - box.scrollLeft, y: gutter - box.scrollTop };
  const x = (column: number): number => origin.x + column * cell;
  const y = (row: number): number => origin.y + row * cell;
  context.save();
  context.beginPath();
  context.rect(gutter, gutter, width, height);
  context.clip();
  if (tiles) {
    context.fillStyle = hiddenGround(isDark);
    context.fillRect(x(firstColumn), y(firstRow), columns * cell, rows * cell);
  }
  // Cells smaller than a pixel of the screen are averaged.
  context.imageSmoothingEnabled = cell * ratio < 1;
  context.imageSmoothingQuality = "high";
  const painted = cells.of(matrix, part, isDark);
  context.drawImage(painted, x(firstColumn), y(firstRow), columns * cell, rows * cell);
  if (tiles) drawTiles(context, tiles, part, { ...origin, cell }, isDark);
  if (cursor) {
    // Around the cursor, a line that stands out on every colour of cells.
    for (const [width, colour] of [
      [5, "--surface"],
      [2, "--warn"],
    ] as const) {
      context.lineWidth = width;
      context.strokeStyle = getComputedStyle(box).getPropertyValue(colour);
      context.strokeRect(x(cursor[1]) - 1, y(cursor[0]) - 1, cell + 2, cell + 2);
    }
  }
  context.restore();
  if (gutter > 0) drawLabels(context, getComputedStyle(box).color, view, part, origin);
}

/** The words of the queries and keys on screen. */
function drawLabels(
  context: CanvasRenderingContext2D,
  colour: string,
  { labels, cell, gutter }: MapView,
  { firstRow, rows, firstColumn, columns }: Part,
  origin: { readonly x: number; readonly y: number },
): void {
  context.fillStyle = colour;
  context.font = `${Math.min(13, cell - 1)}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  const fit = (text: string): string => (text.length > 12 ? `${text.slice(0, 11)}…` : text);
  for (let i = firstRow; i < firstRow + rows; i++) {
    const y = origin.y + i * cell;
    if (y < gutter - cell / 2) continue;
    context.textAlign = "right";
    context.fillText(fit(shown(labels.queries[i] ?? "")), gutter - 6, y + cell / 2);
  }
  for (let j = firstColumn; j < firstColumn + columns; j++) {
    const x = origin.x + j * cell;
    if (x < gutter - cell / 2) continue;
    context.save();
    context.translate(x + cell / 2, gutter - 6);
    context.rotate(-Math.PI / 2);
    context.textAlign = "left";
    context.fillText(fit(shown(labels.keys[j] ?? "")), 0, 0);
    context.restore();
  }
}
