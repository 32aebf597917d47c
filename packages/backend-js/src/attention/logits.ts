import {
  float16BitsToNumber,
  type HostTensor,
  holdsBits,
  type KeyRange,
  type VisibleBand,
} from "@heed/core";
import { tanhFloat32 } from "@heed/core/program";

/** A row of a tile's logits: key j of the tile is `data[at + j·step]`. */
export interface LogitsRow {
  readonly data: number[];
  readonly at: number;
  readonly step: number;
  readonly keys: number;
}

/** `s = softcap · tanh(s / softcap)`; to float32's accuracy unless `exact`. */
export function capRow({ data, at, step, keys }: LogitsRow, softcap: number, exact: boolean): void {
  const inner = 1 / softcap;
  if (exact || !Number.isFinite(inner)) {
    for (let j = 0, s = at; j < keys; j++, s += step) {
      data[s] = softcap * Math.tanh((data[s] as number) / softcap);
    }
    return;
  }
  for (let j = 0, s = at | 0; j < keys; j = (j + 1) | 0, s = (s + step) | 0) {
    data[s] = softcap * tanhFloat32((data[s] as number) * inner);
  }
}

/**
 * `s += bias[b, h, i, j]`, read in place through its (broadcast) strides from `start`.
 *
 * @returns whether a bias of the row is −∞, so that {@link hideByBias} is due
 */
export function addBias(row: LogitsRow, bias: HostTensor, start: number): boolean {
  const { data, at, step, keys } = row;
  const stride = bias.strides[3] as number;
  const from = bias.data;
  const bits = holdsBits(from);
  let hides = false;
  for (let j = 0, s = at; j < keys; j++, s += step) {
    const element = from[start + j * stride] as number;
    const added = bits ? float16BitsToNumber(element) : element;
    (data[s] as number) += added;
    if (added === Number.NEGATIVE_INFINITY) hides = true;
  }
  return hides;
}

/** −∞ where the bias is −∞: the sum alone would be NaN if the product was NaN or +∞. */
export function hideByBias(row: LogitsRow, bias: HostTensor, start: number): void {
  const { data, at, step, keys } = row;
  const stride = bias.strides[3] as number;
  const from = bias.data;
  const hiding = holdsBits(from) ? float16NegativeInfinity : Number.NEGATIVE_INFINITY;
  for (let j = 0, s = at; j < keys; j++, s += step) {
    if (from[start + j * stride] === hiding) data[s] = Number.NEGATIVE_INFINITY;
  }
}

const float16NegativeInfinity = 0xfc00;

/** `s −= slope · |position − j|` (ALiBi, arXiv:2108.12409). */
export function addAlibi(row: LogitsRow, slope: number, position: number, first: number): void {
  const { data, at, step, keys } = row;
  for (let j = 0, s = at; j < keys; j++, s += step) {
    (data[s] as number) -= slope * Math.abs(position - (first + j));
  }
}

/** As {@link addAlibi}, for keys at positions of their own. */
export function addAlibiAt(
  row: LogitsRow,
  slope: number,
  position: number,
  positions: Int32Array,
  first: number,
): void {
  const { data, at, step, keys } = row;
  for (let j = 0, s = at; j < keys; j++, s += step) {
    (data[s] as number) -= slope * Math.abs(position - (positions[first + j] as number));
  }
}

/** As {@link hideOutsideBand}, for keys at positions of their own. */
export function hideOutsideBandAt(
  row: LogitsRow,
  tile: KeyRange,
  band: VisibleBand,
  position: number,
  positions: Int32Array,
): void {
  const { data, at, step, keys } = row;
  const first = position - band.left;
  const last = position + band.right;
  for (let j = 0, s = at; j < keys; j++, s += step) {
    const key = positions[tile.start + j] as number;
    if (key < first || key > last) data[s] = Number.NEGATIVE_INFINITY;
  }
}

/** −∞ for the keys that causal and window hide from a row. */
export function hideOutsideBand(
  row: LogitsRow,
  tile: KeyRange,
  band: VisibleBand,
  position: number,
): void {
  const { data, at, step, keys } = row;
  const first = position - band.left - tile.start;
  const last = position + band.right - tile.start;
  for (let j = 0, s = at; j < keys; j++, s += step) {
    if (j < first || j > last) data[s] = Number.NEGATIVE_INFINITY;
  }
}

/** −∞ where the mask is false, read in place through its (broadcast) strides from `start`. */
export function hideMasked(row: LogitsRow, mask: HostTensor, start: number): void {
  const { data, at, step, keys } = row;
  const stride = mask.strides[3] as number;
  const from = mask.data;
  for (let j = 0, s = at; j < keys; j++, s += step) {
    if (from[start + j * stride] === 0) data[s] = Number.NEGATIVE_INFINITY;
  }
}

/** Copies a row's logits into consecutive elements of `to`, from `start` on. */
export function copyRow(
  { data, at, step, keys }: LogitsRow,
  to: Float64Array,
  start: number,
): void {
  for (let j = 0, s = at; j < keys; j++, s += step) to[start + j] = data[s] as number;
}

/**
 * Index in an expanded tensor's data of element `[b, h, i, j]`. Strides are read by index, not by
 * destructuring: this is called for every row of every tile, and once a polyfill has touched iterators
 * (as core-js does), V8 runs array patterns through the iterator protocol.
 */
export function elementOffset(t: HostTensor, b: number, h: number, i: number, j: number): number {
  const { strides } = t;
  return (
    t.offset +
    b * (strides[0] as number) +
    h * (strides[1] as number) +
    i * (strides[2] as number) +
    j * (strides[3] as number)
  );
}
