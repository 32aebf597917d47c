import type { BlockMask } from "@heed/core/program";
import type { JSX } from "preact";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { css, shareColour } from "../drawing/colours.js";
import { drawSkipped } from "../drawing/tiles.js";
import { blocksOf, maskLength, masks, type NamedMask } from "../measure/masks.js";
import { change, dark, state } from "../state/page-state.js";
import { tiles } from "../state/state.js";
import { Choice } from "./choice.js";

/** Masks as programs, and the tiles that a kernel need not visit. */
export function Masks(): JSX.Element {
  const { mask, tile } = state.value;
  const chosen = masks.find(({ name }) => name === mask) ?? (masks[0] as NamedMask);
  const { elements, blocks } = useMemo(() => {
    const program = chosen.program();
    return { elements: blocksOf(program, 1), blocks: blocksOf(program, tile) };
  }, [chosen, tile]);
  const { empty, partial, full } = blocks.counts;
  const all = empty + partial + full;
  return (
    <section class="panel" aria-labelledby="mask">
      <div class="panel-head">
        <h2 id="mask">{chosen.title}</h2>
        <div class="settings">
          <Choice
            label="Mask"
            id="mask-name"
            value={chosen.name}
            options={masks.map(({ name, title }) => [name, title])}
            onChoose={(mask) => change({ mask })}
          />
          <Choice
            label="Tile"
            id="tile"
            value={tile}
            options={tiles.map((size) => [size, `${size} × ${size}`])}
            onChoose={(tile) => change({ tile })}
          />
        </div>
      </div>
      <p>{chosen.about}</p>
      <p id="tiles">
        Of {all.toLocaleString("en")} tiles,{" "}
        <strong>
          {empty.toLocaleString("en")} are skipped ({((100 * empty) / all).toFixed(0)}%)
        </strong>
        , {full.toLocaleString("en")} need no mask, and {partial.toLocaleString("en")} are masked
        element by element.
      </p>
      <MaskPicture
        elements={elements}
        blocks={blocks}
        tile={tile}
        label={`${chosen.title}: ${empty} of ${all} tiles are skipped`}
      />
      <ul class="legend side-by-side">
        <li>
          <span class="swatch seen" /> a key that the query sees
        </li>
        <li>
          <span class="swatch partial" /> hidden, in a tile that is visited
        </li>
        <li>
          <span class="swatch empty" /> a tile that is skipped
        </li>
      </ul>
      <p class="quiet">
        {maskLength.toLocaleString("en")} queries from top to bottom, as many keys from left to
        right. The mask is a program of <code>@heed/core/masks</code>, and{" "}
        <code>createBlockMask</code> says which tiles it leaves.
      </p>
    </section>
  );
}

interface MaskPictureProps {
  readonly elements: BlockMask;
  readonly blocks: BlockMask;
  readonly tile: number;
  readonly label: string;
}

function MaskPicture({ elements, blocks, tile, label }: MaskPictureProps): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const isDark = dark.value;
  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    context.fillStyle = css(shareColour(0.03, isDark));
    context.fillRect(0, 0, maskLength, maskLength);
    context.fillStyle = css(shareColour(0.75, isDark));
    const { starts, first, end } = elements.rows;
    for (let row = 0; row < maskLength; row++) {
      for (let n = starts[row] as number; n < (starts[row + 1] as number); n++) {
        const from = first[n] as number;
        context.fillRect(from, row, (end[n] as number) - from, 1);
      }
    }
    const count = maskLength / tile;
    for (let query = 0; query < count; query++) {
      for (let key = 0; key < count; key++) {
        const kind = blocks.kind(0, 0, query, key);
        const [x, y] = [key * tile, query * tile];
        if (kind === "empty") drawSkipped(context, x, y, tile, isDark);
        context.strokeStyle = isDark ? "rgb(255 255 255 / 0.16)" : "rgb(20 30 60 / 0.14)";
        context.lineWidth = 1;
        context.strokeRect(x + 0.5, y + 0.5, tile - 1, tile - 1);
      }
    }
  });
  return (
    <canvas
      ref={canvas}
      class="mask-picture"
      role="img"
      aria-label={label}
      width={maskLength}
      height={maskLength}
    />
  );
}
