import type { OnnxTensor } from "@heed/splice";
import type { Picture } from "./protocol.js";

/** Widest picture that words make, in pixels. */
const widest = 640;

/** Draws words, dark on light, as tall as a model wants them. @param width as the model wants it, or null */
export function drawWords(words: string, height: number, width: number | null): Picture {
  const size = Math.round(height * (width === null ? 0.68 : 0.16));
  const font = `600 ${size}px system-ui, sans-serif`;
  const measured = new OffscreenCanvas(1, 1).getContext("2d");
  if (!measured) throw new Error("this browser draws no pictures");
  measured.font = font;
  const needed = measured.measureText(words).width + height / 2;
  const own = width ?? Math.min(widest, Math.max(64, Math.ceil(needed / 8) * 8));
  const canvas = new OffscreenCanvas(own, height);
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser draws no pictures");
  context.fillStyle = "#f4f1ea";
  context.fillRect(0, 0, own, height);
  context.fillStyle = "#1d2433";
  context.font = font;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(words, own / 2, height / 2 + size * 0.04, own - 4);
  const { data } = context.getImageData(0, 0, own, height);
  return { width: own, height, data };
}

/** A picture as models of pictures take it: channels one after another, from −1 to 1. */
export function pixels({ width, height, data }: Picture, channels: number): Float32Array {
  const count = width * height;
  return Float32Array.from(
    { length: channels * count },
    (_, at) => (data[4 * (at % count) + Math.floor(at / count)] as number) / 127.5 - 1,
  );
}

/**
 * The text that the recogniser reads: of each step the likeliest sign, where signs that repeat count once and the
 * first of all signs is none (Graves et al., 2006).
 *
 * @param folder where its list of signs is
 */
export async function readWords(output: OnnxTensor | undefined, folder: string): Promise<string> {
  const response = await fetch(new URL("recogniser.txt", folder));
  const signs = (await response.text()).split("\n");
  const [, steps, count] = (output?.dims ?? [0, 0, 0]) as [number, number, number];
  const data = output?.data as Float32Array;
  let text = "";
  let before = 0;
  for (let step = 0; step < steps; step++) {
    const likely = data.subarray(step * count, (step + 1) * count);
    const best = likely.indexOf(likely.reduce((most, one) => Math.max(most, one), -1));
    if (best !== before && best !== 0) text += best === count - 1 ? " " : (signs[best - 1] ?? "");
    before = best;
  }
  return text;
}
