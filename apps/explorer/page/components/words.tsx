import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import { css, shareColour } from "../drawing/colours.js";
import { shown } from "../model/tokens.js";
import { change, dark } from "../state/page-state.js";

interface WordsProps {
  readonly pieces: readonly string[];
  /** The query's place. */
  readonly token: number;
  /** Its weights, one a piece. */
  readonly weights: Float32Array;
}

/** The sentence: the chosen word asks, and the others are shaded by how much it attends to them. */
export function Words({ pieces, token, weights }: WordsProps): JSX.Element {
  const list = useRef<HTMLUListElement>(null);
  const choose = (next: number) => {
    if (next !== token) change({ token: next });
  };
  const move = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const next = by === undefined ? { Home: 0, End: pieces.length - 1 }[event.key] : token + by;
    if (next === undefined || next < 0 || next >= pieces.length) return;
    event.preventDefault();
    choose(next);
    list.current?.querySelectorAll("button")[next]?.focus();
  };
  return (
    <ul ref={list} class="words" aria-label="Words" onKeyDown={move}>
      {pieces.map((piece, i) => {
        const weight = weights[i] as number;
        const share = `${(100 * weight).toFixed(weight < 0.1 ? 1 : 0)}%`;
        return (
          <li key={i} class={classesOf(piece, pieces[i + 1])}>
            <button
              type="button"
              tabIndex={i === token ? 0 : -1}
              aria-pressed={i === token}
              style={{ "--shade": css(shareColour(weight * 0.85, dark.value)) }}
              onPointerEnter={({ pointerType }) => pointerType === "mouse" && choose(i)}
              onFocus={() => choose(i)}
              onClick={() => choose(i)}
            >
              <span class="word">{shown(piece)}</span>
              <span class="visually-hidden">, attended </span>
              <span class="share">{share}</span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}

/** Classes by the place of a piece in its word: pieces that begin one start with ▁. */
function classesOf(piece: string, next: string | undefined): string {
  const ends = next === undefined || next.startsWith("▁");
  return `${piece.startsWith("▁") ? "" : "goes-on"} ${ends ? "ends" : ""}`;
}
