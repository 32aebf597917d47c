import { float16BitsToNumber, type HostTensor, holdsBits } from "@heed/core";
import type { Band, KeyRange } from "./visibility.js";

/** `s = softcap · tanh(s / softcap)` over a row of a tile. */
export function capRow(scores: Float64Array, at: number, keys: number, softcap: number): void {
  for (let j = at; j < at + keys; j++) {
    scores[j] = softcap * Math.tanh((scores[j] as number) / softcap);
  }
}

/** `s += bias[b, h, i, j]` over a row of a tile, read in place through its (broadcast) strides. */
export function addBias(
  scores: Float64Array,
  at: number,
  keys: number,
  bias: HostTensor,
  start: number,
): void {
  const { data } = bias;
  const stride = bias.strides[3] as number;
  if (holdsBits(data)) {
    for (let j = 0; j < keys; j++) {
      (scores[at + j] as number) += float16BitsToNumber(data[start + j * stride] as number);
    }
  } else {
    for (let j = 0; j < keys; j++) {
      (scores[at + j] as number) += data[start + j * stride] as number;
    }
  }
}

/** `s −= slope · |position − j|` over a row of a tile (ALiBi, arXiv:2108.12409). */
export function addAlibi(
  scores: Float64Array,
  at: number,
  tile: KeyRange,
  slope: number,
  position: number,
): void {
  for (let j = tile.start, s = at; j < tile.end; j++, s++) {
    (scores[s] as number) -= slope * Math.abs(position - j);
  }
}

/** −∞ for the keys of a tile that causal and window hide from a row. */
export function hideOutsideBand(
  scores: Float64Array,
  at: number,
  tile: KeyRange,
  band: Band,
  position: number,
): void {
  const keys = tile.end - tile.start;
  const first = Math.max(0, Math.min(keys, position - band.left - tile.start));
  const end = Math.max(first, Math.min(keys, position + band.right + 1 - tile.start));
  scores.fill(Number.NEGATIVE_INFINITY, at, at + first);
  scores.fill(Number.NEGATIVE_INFINITY, at + end, at + keys);
}

/** −∞ where the mask is false, read in place through its (broadcast) strides. */
export function hideMasked(
  scores: Float64Array,
  at: number,
  keys: number,
  mask: HostTensor,
  start: number,
): void {
  const { data } = mask;
  const stride = mask.strides[3] as number;
  for (let j = 0; j < keys; j++) {
    if (data[start + j * stride] === 0) scores[at + j] = Number.NEGATIVE_INFINITY;
  }
}

/** Where row `[b, h, i]` from key j starts in an expanded tensor's data. */
export function elementOffset(t: HostTensor, b: number, h: number, i: number, j: number): number {
  const [batch, head, query, key] = t.strides as readonly [number, number, number, number];
  return t.offset + b * batch + h * head + i * query + j * key;
}
