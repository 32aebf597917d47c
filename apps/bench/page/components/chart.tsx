import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Drawing } from "../plots/look.js";

interface ChartProps {
  /** The chart's subject, in a few words. */
  readonly title: string;
  /** The chart's message in words, for everybody, and in place of the drawing for screen readers. */
  readonly summary: string;
  /** Controls, right of the title. */
  readonly children?: ComponentChildren;
  draw(width: number): Drawing;
}

/** A plot as wide as there is room for. */
export function Chart({ title, summary, children, draw }: ChartProps): JSX.Element {
  const frame = useRef<HTMLDivElement>(null);
  const width = useSignal(0);
  useLayoutEffect(() => {
    if (frame.current) width.value = frame.current.clientWidth;
  }, [width]);
  useEffect(() => {
    if (!frame.current) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry) width.value = Math.round(entry.contentRect.width);
    });
    observer.observe(frame.current);
    return () => observer.disconnect();
  }, [width]);
  useLayoutEffect(() => {
    if (width.value === 0) return;
    const drawing = draw(width.value);
    // The figure's caption says what is in it; shapes one by one would not.
    drawing.setAttribute("aria-hidden", "true");
    frame.current?.replaceChildren(drawing);
  });
  // Read here, so that a change of width draws again.
  const ready = width.value > 0;
  return (
    <figure class="chart">
      <div class="chart-head">
        <h3>{title}</h3>
        <div class="chart-controls">{children}</div>
      </div>
      <div class="chart-frame" ref={frame} data-ready={ready} />
      <figcaption>{summary}</figcaption>
    </figure>
  );
}

interface ChoiceProps<T extends string> {
  readonly label: string;
  readonly options: readonly (readonly [value: T, label: string])[];
  readonly value: T;
  onChange(value: T): void;
}

/** A choice among a few. */
export function Choice<T extends string>(props: ChoiceProps<T>): JSX.Element {
  const { label, options, value, onChange } = props;
  return (
    <label class="choice">
      <span class="visually-hidden">{label}</span>
      <select value={value} onChange={(event) => onChange(event.currentTarget.value as T)}>
        {options.map(([option, text]) => (
          <option key={option} value={option}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}
