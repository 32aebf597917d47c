import { useNarrow } from "@heed/page";
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { Cells, drawMap, type MapView, partOnScreen } from "../drawing/map.js";
import type { MapQuantity, Matrix, Part } from "../drawing/matrix.js";
import { type Format, save } from "../drawing/save.js";
import type { TileKind, Tiles } from "../drawing/tiles.js";
import { shown } from "../model/tokens.js";
import { dark } from "../state/page-state.js";

interface HeatMapProps {
  readonly matrix: Matrix;
  /** Words of the queries, and of the keys. */
  readonly pieces: readonly string[];
  /** Words of the keys, where they are others. */
  readonly keyPieces?: readonly string[];
  /** Tiles, of which some are skipped; keys that are hidden then have a ground of their own. */
  readonly tiles?: Tiles | undefined;
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
  return Math.max(least, Math.min(most, leastWithWords - 1, alone));
}

/** Queries and keys of one head on a canvas that draws the part on screen. Arrow keys move a cursor. */
export function HeatMap(props: HeatMapProps): JSX.Element {
  const { matrix, pieces, keyPieces = pieces, tiles, title, cell, onView, onChoose } = props;
  const { cellId = "cell" } = props;
  const frame = useRef<HTMLElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const cells = useRef<Cells | null>(null);
  const onScreen = useRef<Part>({ firstRow: 0, rows: 0, firstColumn: 0, columns: 0 });
  const cursor = useSignal<readonly [number, number] | null>(null);
  const gutter = cell >= leastWithWords ? gutterWithWords : 0;
  const at = cursor.value;
  const { rows: queries, columns: keys } = matrix;
  const labels = { queries: pieces, keys: keyPieces };
  const view: MapView = { matrix, labels, tiles, cell, gutter, isDark: dark.value, cursor: at };

  const draw = useRef(() => {});
  draw.current = () => {
    const [box, target] = [frame.current, canvas.current];
    if (!box || !target) return;
    const part = partOnScreen(view, box);
    onScreen.current = part;
    onView?.(part, box.scrollTop, box.clientHeight - gutter);
    cells.current ??= new Cells();
    drawMap(target, box, view, part, cells.current);
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
    const { firstRow, firstColumn, rows } = onScreen.current;
    const moves: Record<string, readonly [number, number]> = {
      ArrowUp: [-step, 0],
      ArrowDown: [step, 0],
      ArrowLeft: [0, -step],
      ArrowRight: [0, step],
      PageUp: [-rows, 0],
      PageDown: [rows, 0],
      Home: [0, -keys],
      End: [0, keys],
    };
    const by = moves[event.key];
    if (!by) return;
    event.preventDefault();
    const [row, column] = at ?? [firstRow, firstColumn];
    const within = (x: number, size: number) => Math.max(0, Math.min(size - 1, x));
    const next = [within(row + by[0], queries), within(column + by[1], keys)] as const;
    cursor.value = next;
    reveal(next);
  };
  const reveal = ([row, column]: readonly [number, number]) => {
    const box = frame.current as HTMLElement;
    const into = (scrolled: number, place: number, length: number) =>
      Math.min(place * cell, Math.max(scrolled, (place + 1) * cell - length + gutter));
    box.scrollTop = into(box.scrollTop, row, box.clientHeight);
    box.scrollLeft = into(box.scrollLeft, column, box.clientWidth);
  };
  // A map that is drawn larger keeps its cell on screen.
  useLayoutEffect(() => {
    if (at) reveal(at);
  }, [cell]);

  const value = at && matrix.row(at[0])?.[at[1]];
  const kind = at && tiles?.kind(Math.floor(at[0] / tiles.size), Math.floor(at[1] / tiles.size));
  return (
    <div
      class="map"
      style={{
        "--width": `${gutter + keys * cell}px`,
        "--height": `${gutter + queries * cell}px`,
      }}
    >
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
              {kind && `, ${tileInWords[kind]}`}
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
              onClick={() =>
                void save(kind, { matrix, labels, part: onScreen.current, title, tiles })
              }
            >
              {kind.toUpperCase()}
            </button>
          ))}
        </span>
      </div>
    </div>
  );
}

/** The place of a cell in words, by the kind of its tile. */
const tileInWords: Readonly<Record<TileKind, string>> = {
  empty: "in a tile that is skipped",
  partial: "in a tile that is masked element by element",
  full: "in a tile that needs no mask",
};

/** A value in words, by its quantity. */
export function format(value: number, quantity: MapQuantity): string {
  if (quantity === "mask") return value > 0.5 ? "seen" : "hidden";
  if (Number.isNaN(value)) return "hidden";
  if (quantity === "weights") return `${(100 * value).toFixed(value < 0.01 ? 3 : 1)}%`;
  if (quantity === "heads") return `${(100 * value).toFixed(1)}%`.replace("-", "−");
  return (quantity === "scores" ? value.toFixed(3) : value.toExponential(2)).replace("-", "−");
}
