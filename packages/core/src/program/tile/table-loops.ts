/** The loops of tile programs that look tables up. */
import type { Doubles } from "./doubles.js";

/** Adds clamped indices of an axis, times its stride, to offsets. */
export function addOffsets(
  o: Int32Array,
  known: Int32Array,
  indices: Int32Array,
  size: number,
  stride: number,
  n: number,
): void {
  const last = (size - 1) | 0;
  for (let s = 0; s < n; s = (s + 1) | 0) {
    const index = indices[s] as number;
    const place = Math.imul(index < 0 ? 0 : index < last ? index : last, stride);
    o[s] = (known[s] as number) + place;
  }
}

/** As {@link addOffsets}, of indices plus three numbers in turn. */
export function addOffsetsOfSums(
  o: Int32Array,
  indices: Int32Array,
  size: number,
  stride: number,
  x: number,
  y: number,
  z: number,
  n: number,
): void {
  const last = (size - 1) | 0;
  for (let s = 0; s < n; s = (s + 3) | 0) {
    const t = (s + 1) | 0;
    const u = (s + 2) | 0;
    const i = ((indices[s] as number) + x) | 0;
    const j = ((indices[t] as number) + y) | 0;
    const k = ((indices[u] as number) + z) | 0;
    (o[s] as number) += Math.imul(i < 0 ? 0 : i < last ? i : last, stride);
    (o[t] as number) += Math.imul(j < 0 ? 0 : j < last ? j : last, stride);
    (o[u] as number) += Math.imul(k < 0 ? 0 : k < last ? k : last, stride);
  }
}

// Elements at offsets from three starts in turn.

export function gatherInts(
  o: Int32Array,
  data: Int32Array,
  offsets: Int32Array,
  x: number,
  y: number,
  z: number,
  n: number,
): void {
  for (let s = 0; s < n; s = (s + 3) | 0) {
    const t = (s + 1) | 0;
    const u = (s + 2) | 0;
    o[s] = data[((offsets[s] as number) + x) | 0] as number;
    o[t] = data[((offsets[t] as number) + y) | 0] as number;
    o[u] = data[((offsets[u] as number) + z) | 0] as number;
  }
}

export function gatherBools(
  o: Int32Array,
  data: Uint8Array,
  offsets: Int32Array,
  x: number,
  y: number,
  z: number,
  n: number,
): void {
  for (let s = 0; s < n; s = (s + 3) | 0) {
    const t = (s + 1) | 0;
    const u = (s + 2) | 0;
    o[s] = +(data[((offsets[s] as number) + x) | 0] !== 0);
    o[t] = +(data[((offsets[t] as number) + y) | 0] !== 0);
    o[u] = +(data[((offsets[u] as number) + z) | 0] !== 0);
  }
}

export function gatherFloats(
  o: Doubles,
  to: number,
  data: Float32Array,
  offsets: Int32Array,
  x: number,
  y: number,
  z: number,
  n: number,
): void {
  for (let s = 0; s < n; s = (s + 3) | 0) {
    const t = (s + 1) | 0;
    const u = (s + 2) | 0;
    o[(to + s) | 0] = data[((offsets[s] as number) + x) | 0] as number;
    o[(to + t) | 0] = data[((offsets[t] as number) + y) | 0] as number;
    o[(to + u) | 0] = data[((offsets[u] as number) + z) | 0] as number;
  }
}

/** Adds elements to a list. */
export function addFloats(
  o: Doubles,
  to: number,
  data: Float32Array,
  offsets: Int32Array,
  x: number,
  y: number,
  z: number,
  n: number,
): void {
  for (let s = 0; s < n; s = (s + 3) | 0) {
    const t = (s + 1) | 0;
    const u = (s + 2) | 0;
    (o[(to + s) | 0] as number) += data[((offsets[s] as number) + x) | 0] as number;
    (o[(to + t) | 0] as number) += data[((offsets[t] as number) + y) | 0] as number;
    (o[(to + u) | 0] as number) += data[((offsets[u] as number) + z) | 0] as number;
  }
}

/** As {@link gatherFloats}, of elements that follow one another from three places on, `step` at a time. */
export function takeRuns(
  o: Doubles,
  to: number,
  data: Float32Array,
  x: number,
  y: number,
  z: number,
  step: number,
  n: number,
): void {
  for (let s = 0, j = 0; s < n; s = (s + 3) | 0, j = (j + step) | 0) {
    o[(to + s) | 0] = data[(x + j) | 0] as number;
    o[(to + s + 1) | 0] = data[(y + j) | 0] as number;
    o[(to + s + 2) | 0] = data[(z + j) | 0] as number;
  }
}

/** As {@link takeRuns}, and adds the elements to a list. */
export function addRuns(
  o: Doubles,
  to: number,
  data: Float32Array,
  x: number,
  y: number,
  z: number,
  step: number,
  n: number,
): void {
  for (let s = 0, j = 0; s < n; s = (s + 3) | 0, j = (j + step) | 0) {
    (o[(to + s) | 0] as number) += data[(x + j) | 0] as number;
    (o[(to + s + 1) | 0] as number) += data[(y + j) | 0] as number;
    (o[(to + s + 2) | 0] as number) += data[(z + j) | 0] as number;
  }
}
