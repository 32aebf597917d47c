import type { JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { PatchGrid } from "../measure/patches.js";
import type { Picture } from "../worker/protocol.js";

interface PatchesProps {
  readonly picture: Picture;
  readonly grid: PatchGrid;
  /** The query's weights of all keys. */
  readonly weights: Float32Array;
  readonly query: number;
  onChoose(query: number): void;
}

/** A picture under the patches that a query attends to; a press on a patch makes it the query. */
export function Patches({ picture, grid, weights, query, onChoose }: PatchesProps): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { width, height } = picture;
  const { rows, columns, before } = grid;
  const scale = Math.max(1, Math.round(640 / width));
  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    const small = new OffscreenCanvas(width, height);
    small.getContext("2d")?.putImageData(new ImageData(picture.data, width, height), 0, 0);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.imageSmoothingEnabled = true;
    context.drawImage(small, 0, 0);
    const most = weights.reduce((a, b) => Math.max(a, b), 0);
    const [w, h] = [width / columns, height / rows];
    for (let at = 0; at < rows * columns; at++) {
      const share = most > 0 ? (weights[at + before] as number) / most : 0;
      const [x, y] = [(at % columns) * w, Math.floor(at / columns) * h];
      // Patches without attention are dimmed: the words stay legible in the others.
      context.fillStyle = `rgb(20 24 48 / ${0.78 * (1 - Math.sqrt(share))})`;
      context.fillRect(x, y, w, h);
    }
    if (query < before) return;
    const [x, y] = [((query - before) % columns) * w, Math.floor((query - before) / columns) * h];
    context.strokeStyle = "#e8590c";
    context.lineWidth = 3 / scale;
    context.strokeRect(x + 1, y + 1, w - 2, h - 2);
  });
  const choose = (event: PointerEvent) => {
    const bounds = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const column = Math.floor(((event.clientX - bounds.left) / bounds.width) * columns);
    const row = Math.floor(((event.clientY - bounds.top) / bounds.height) * rows);
    if (column >= 0 && column < columns && row >= 0 && row < rows) {
      onChoose(before + row * columns + column);
    }
  };
  return (
    <canvas
      ref={canvas}
      class="patches"
      role="img"
      aria-label={`The picture, bright where patch ${query + 1} attends to`}
      width={width * scale}
      height={height * scale}
      onPointerDown={choose}
    />
  );
}
