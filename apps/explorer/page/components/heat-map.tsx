import { useNarrow } from "@heed/page";
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { type Matrix, type Part, paint } from "../drawing/matrix.js";
import { type Format, save } from "../drawing/save.js";
import { drawSkipped, hiddenGround } from "../drawing/tiles.js";
import { shown } from "../model/tokens.js";
import { dark } from "../state/page-state.js";

interface HeatMapProps {
  readonly matrix: Matrix;
  /** Words of the queries, and of the keys. */
  readonly pieces: readonly string[];
  /** Words of the keys, where they are others. */
  readonly keyPieces?: readonly string[];
  /** Tiles that are drawn as skipped; keys that are hidden then have a ground of their own. */
  readonly tiles?: Tiles;
  readonly title: string;
  /** Id of the line that tells the cell; another one for a second map on the page. */
  readonly cellId?: string;
  /** Called when a cell is pressed, with its query. */
  readonly onChoose?: (query: number) => void;
  /** Side of a cell in CSS pixels. */
  readonly cell: number;
  /** Called with the part that is on screen, whenever it is drawn. */
  readonly onView?: (part: Part, scrolled: number, height: number) => void;
}

/** Tiles of a map, of which some are skipped. */
interface Tiles {
  /** Queries, and keys, of a tile. */
  readonly size: number;
  readonly skipped: (query: number, key: number) => boolean;
}

const gutterWithWords = 84;

/** Cells are at least so large that words fit beside them. */
const leastWithWords = 12;

/**
 * Side of the cells of a whole map that fits the page, in CSS pixels.
 *
 * @param count of cells in a row
 * @param least below which the map scrolls
 */
export function useCellSide(count: number, least: number, most: number): number {
  const width = useNarrow() ? 228 : 560;
  const beside = Math.floor(width / count);
  if (Math.max(beside, least) >= leastWithWords) return Math.max(least, Math.min(most, beside));
  const alone = Math.floor((width + gutterWithWords) / count);
  return Math.max(least, Math.min(leastWithWords - 1, alone));
}

/** Queries and keys of one head on a canvas that draws the part on screen. Arrow keys move a cursor. */
export function HeatMap(props: HeatMapProps): JSX.Element {
  const { matrix, pieces, keyPieces = pieces, tiles, title, cell, onView, onChoose } = props;
  const { cellId = "cell" } = props;
  const frame = useRef<HTMLElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  /** A pixel for each cell on screen. */
  const cells = useRef<OffscreenCanvas | null>(null);
  const view = useRef<Part>({ firstRow: 0, rows: 0, firstColumn: 0, columns: 0 });
  const cursor = useSignal<readonly [number, number] | null>(null);
  const gutter = cell >= leastWithWords ? gutterWithWords : 0;
  const isDark = dark.value;
  const at = cursor.value;
  const { rows: queries, columns: keys } = matrix;

  const draw = useRef(() => {});
  draw.current = () => {
    const [box, target] = [frame.current, canvas.current];
    const context = target?.getContext("2d");
    if (!box || !target || !context) return;
    const [width, height] = [box.clientWidth, box.clientHeight];
    const ratio = devicePixelRatio;
    if (
      target.width !== Math.round(width * ratio) ||
      target.height !== Math.round(height * ratio)
    ) {
      target.width = Math.round(width * ratio);
      target.height = Math.round(height * ratio);
      Object.assign(target.style, { width: `${width}px`, height: `${height}px` });
    }
    const { scrollLeft: left, scrollTop: top } = box;
    const part: Part = {
      firstRow: Math.floor(top / cell),
      rows: 0,
      firstColumn: Math.floor(left / cell),
      columns: 0,
    };
    const shownPart = {
      ...part,
      rows: Math.min(
        queries - part.firstRow,
        Math.ceil((top + height - gutter) / cell) - part.firstRow,
      ),
      columns: Math.min(
        keys - part.firstColumn,
        Math.ceil((left + width - gutter) / cell) - part.firstColumn,
      ),
    };
    view.current = shownPart;
    onView?.(shownPart, top, height - gutter);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const { firstRow, rows, firstColumn, columns } = shownPart;
    if (rows <= 0 || columns <= 0) return;
    cells.current ??= new OffscreenCanvas(1, 1);
    const small = cells.current;
    if (small.width !== columns || small.height !== rows) {
      Object.assign(small, { width: columns, height: rows });
    }
    // In JavaScript's memory, where its pixels are made.
    const ofCells = small.getContext("2d", { willReadFrequently: true });
    ofCells?.putImageData(paint(matrix, shownPart, isDark), 0, 0);
    context.imageSmoothingEnabled = false;
    const x = (column: number) => gutter + column * cell - left;
    const y = (row: number) => gutter + row * cell - top;
    context.save();
    context.beginPath();
    context.rect(gutter, gutter, width, height);
    context.clip();
    if (tiles) {
      context.fillStyle = hiddenGround(isDark);
      context.fillRect(x(firstColumn), y(firstRow), columns * cell, rows * cell);
    }
    context.drawImage(small, x(firstColumn), y(firstRow), columns * cell, rows * cell);
    if (tiles) {
      const side = tiles.size * cell;
      for (let query = 0; query * tiles.size < queries; query++) {
        for (let key = 0; key * tiles.size < keys; key++) {
          if (!tiles.skipped(query, key)) continue;
          drawSkipped(context, x(key * tiles.size), y(query * tiles.size), side, isDark);
        }
      }
    }
    if (at) {
      // Around the cursor, a line that stands out on every colour of cells.
      for (const [width, colour] of [
        [5, "--surface"],
        [2, "--warn"],
      ] as const) {
        context.lineWidth = width;
        context.strokeStyle = getComputedStyle(box).getPropertyValue(colour);
        context.strokeRect(x(at[1]) - 1, y(at[0]) - 1, cell + 2, cell + 2);
      }
    }
    context.restore();
    if (gutter === 0) return;
    context.fillStyle = getComputedStyle(box).color;
    context.font = `${Math.min(13, cell - 1)}px system-ui, sans-serif`;
    context.textBaseline = "middle";
    const fit = (text: string) => (text.length > 12 ? `${text.slice(0, 11)}…` : text);
    for (let i = firstRow; i < firstRow + rows; i++) {
      if (y(i) < gutter - cell / 2) continue;
      context.textAlign = "right";
      context.fillText(fit(shown(pieces[i] ?? "")), gutter - 6, y(i) + cell / 2);
    }
    for (let j = firstColumn; j < firstColumn + columns; j++) {
      if (x(j) < gutter - cell / 2) continue;
      context.save();
      context.translate(x(j) + cell / 2, gutter - 6);
      context.rotate(-Math.PI / 2);
      context.textAlign = "left";
      context.fillText(fit(shown(keyPieces[j] ?? "")), 0, 0);
      context.restore();
    }
  };

  const asked = useRef(0);
  const redraw = () => {
    cancelAnimationFrame(asked.current);
    asked.current = requestAnimationFrame(() => draw.current());
  };
  // The first picture comes with the page; later ones once a frame, however much has changed meanwhile.
  useLayoutEffect(() => draw.current(), []);
  useLayoutEffect(redraw);
  useEffect(() => {
    const observer = new ResizeObserver(redraw);
    observer.observe(frame.current as HTMLElement);
    return () => {
      observer.disconnect();
      cancelAnimationFrame(asked.current);
    };
  }, []);

  const point = (event: PointerEvent) => {
    const box = frame.current as HTMLElement;
    const bounds = box.getBoundingClientRect();
    const row = Math.floor((event.clientY - bounds.top - gutter + box.scrollTop) / cell);
    const column = Math.floor((event.clientX - bounds.left - gutter + box.scrollLeft) / cell);
    const inside = row >= 0 && column >= 0 && row < queries && column < keys;
    cursor.value = inside ? [row, column] : null;
  };
  const move = (event: KeyboardEvent) => {
    const step = event.shiftKey ? 10 : 1;
    const moves: Record<string, readonly [number, number]> = {
      ArrowUp: [-step, 0],
      ArrowDown: [step, 0],
      ArrowLeft: [0, -step],
      ArrowRight: [0, step],
    };
    const by = moves[event.key];
    if (!by) return;
    event.preventDefault();
    const [row, column] = at ?? [view.current.firstRow, view.current.firstColumn];
    const within = (x: number, size: number) => Math.max(0, Math.min(size - 1, x));
    const next = [within(row + by[0], queries), within(column + by[1], keys)] as const;
    cursor.value = next;
    const box = frame.current as HTMLElement;
    const into = (scrolled: number, place: number, length: number) =>
      Math.min(place * cell, Math.max(scrolled, (place + 1) * cell - length + gutter));
    box.scrollTop = into(box.scrollTop, next[0], box.clientHeight);
    box.scrollLeft = into(box.scrollLeft, next[1], box.clientWidth);
  };

  const value = at && matrix.row(at[0])?.[at[1]];
  const labels = { queries: pieces, keys: keyPieces };
  return (
    <div class="map">
      <section
        ref={frame}
        class="map-frame"
        aria-label={`${title}. Arrow keys move from cell to cell.`}
        aria-describedby={cellId}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a map that scrolls is reached by keyboard
        tabIndex={0}
        onScroll={redraw}
        onPointerMove={point}
        onPointerDown={(event) => {
          point(event);
          if (cursor.value) onChoose?.(cursor.value[0]);
        }}
        onKeyDown={move}
        style={{
          "--width": `${gutter + keys * cell}px`,
          "--height": `${gutter + queries * cell}px`,
        }}
      >
        <div class="map-size">
          <canvas ref={canvas} />
        </div>
      </section>
      <div class="map-foot">
        <p id={cellId} aria-live="polite">
          {at ? (
            <>
              <strong>{shown(pieces[at[0]] ?? "")}</strong> ({at[0] + 1}) →{" "}
              <strong>{shown(keyPieces[at[1]] ?? "")}</strong> ({at[1] + 1}):{" "}
              {value === undefined || value === null ? "…" : format(value, matrix.quantity)}
            </>
          ) : (
            <span class="quiet">Rows are queries, columns are keys. Point at a cell.</span>
          )}
        </p>
        <span class="files">
          {(["png", "svg", "json"] as const).map((kind: Format) => (
            <button
              key={kind}
              type="button"
              aria-label={`Save what is shown as ${kind.toUpperCase()}`}
              onClick={() => void save(kind, matrix, labels, view.current, title)}
            >
              {kind.toUpperCase()}
            </button>
          ))}
        </span>
      </div>
    </div>
  );
}

/** A value in words, by its quantity. */
export function format(value: number, quantity: Matrix["quantity"]): string {
  if (Number.isNaN(value)) return "hidden";
  if (quantity === "weights") return `${(100 * value).toFixed(value < 0.01 ? 3 : 1)}%`;
  if (quantity === "heads") return `${(100 * value).toFixed(1)}%`.replace("-", "−");
  return (quantity === "scores" ? value.toFixed(3) : value.toExponential(2)).replace("-", "−");
}
