import type { JSX } from "preact";
import type { Look } from "../plots/look.js";

interface LegendProps {
  readonly looks: ReadonlyMap<string, Look>;
  readonly hidden: ReadonlySet<string>;
  onToggle(contender: string): void;
}

/** Which look is whose; each can be left out of the plots. */
export function Legend({ looks, hidden, onToggle }: LegendProps): JSX.Element {
  return (
    <fieldset class="legend">
      <legend class="visually-hidden">Shown in the plots</legend>
      {[...looks].map(([name, look]) => (
        <button
          key={name}
          type="button"
          aria-pressed={!hidden.has(name)}
          onClick={() => onToggle(name)}
        >
          <svg viewBox="-8 -8 16 16" width="14" height="14" aria-hidden="true">
            <path d={symbolPaths[look.symbol]} fill={look.color} />
          </svg>
          {name}
        </button>
      ))}
    </fieldset>
  );
}

/** As the plots draw them, near enough. */
const symbolPaths: Readonly<Record<Look["symbol"], string>> = {
  circle: "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0",
  square: "M-4.5 -4.5h9v9h-9z",
  triangle: "M0 -6L5.5 4.5H-5.5z",
  diamond: "M0 -7L4.5 0L0 7L-4.5 0z",
  star: "M0 -7L1.7 -2.2H6.8L2.7 .9L4.2 5.8L0 2.8L-4.2 5.8L-2.7 .9L-6.8 -2.2H-1.7z",
  cross: "M-2 -6h4v4h4v4h-4v4h-4v-4h-4v-4h4z",
  wye: "M-2 6V1L-6 -2L-4 -5.5L0 -3L4 -5.5L6 -2L2 1V6z",
  hexagon: "M0 -6L5.2 -3V3L0 6L-5.2 3V-3z",
  plus: "M-1.2 -6h2.4v4.8h4.8v2.4h-4.8v4.8h-2.4v-4.8h-4.8v-2.4h4.8z",
  times: "M-5 -3.4L-3.4 -5L0 -1.6L3.4 -5L5 -3.4L1.6 0L5 3.4L3.4 5L0 1.6L-3.4 5L-5 3.4L-1.6 0z",
};
