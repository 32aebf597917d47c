import { useNarrow } from "@heed/page";
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import {
  blocksOf,
  maskLength,
  maskMatrix,
  masks,
  type NamedMask,
  tilesOf,
} from "../measure/masks.js";
import { change, state } from "../state/page-state.js";
import { tiles } from "../state/state.js";
import { Choice } from "./choice.js";
import { HeatMap } from "./heat-map.js";

/** Sides of a cell in CSS pixels; 0 shows the whole mask. */
const zooms = [0, 1, 2, 4, 8, 16] as const;

/** Masks as programs, and the tiles that a kernel need not visit. */
export function Masks(): JSX.Element {
  const { mask, tile } = state.value;
  const chosen = masks.find(({ name }) => name === mask) ?? (masks[0] as NamedMask);
  const zoom = useSignal(0);
  const whole = useNarrow() ? 0.3 : 0.5;
  const { program, matrix, pieces } = useMemo(() => {
    const program = chosen.program();
    const token = chosen.token ?? ((at: number) => `token ${at + 1}`);
    const pieces = Array.from({ length: maskLength }, (_, at) => token(at));
    return { program, matrix: maskMatrix(program), pieces };
  }, [chosen]);
  const blocks = useMemo(() => blocksOf(program, tile), [program, tile]);
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
          <Choice
            label="Zoom"
            id="mask-zoom"
            value={zoom.value}
            options={zooms.map((side) => [side, side === 0 ? "whole" : `${side} px a cell`])}
            onChoose={(side) => {
              zoom.value = side;
            }}
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
      <HeatMap
        matrix={matrix}
        pieces={pieces}
        tiles={{ ...tilesOf(blocks, tile), outlined: true }}
        title={`${chosen.title}: ${empty} of ${all} tiles are skipped`}
        cell={zoom.value || whole}
        cellId="mask-cell"
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
