import type { JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { signedColour } from "../drawing/colours.js";
import { dark } from "../state/page-state.js";

interface VectorStripProps {
  readonly values: Float32Array;
  /** Value at which colours end. */
  readonly most: number;
  readonly label: string;
}

/** A vector as a row of colours: orange below zero, blue above. */
export function VectorStrip({ values, most, label }: VectorStripProps): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const isDark = dark.value;
  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    const image = context.createImageData(values.length, 1);
    for (const [i, x] of values.entries()) {
      image.data.set([...signedColour(most > 0 ? x / most : 0, isDark), 255], 4 * i);
    }
    context.putImageData(image, 0, 0);
  }, [values, most, isDark]);
  return (
    <canvas
      ref={canvas}
      class="strip"
      width={values.length}
      height={1}
      role="img"
      aria-label={label}
    />
  );
}
