/** The loops of tile programs that look tables up. */
import type { Doubles } from "./doubles.js";
import type { ListAxis } from "./table-axes.js";

/** Adds clamped indices of an axis, times its stride, to offsets. */
export function addOffsets(
  o: Int32Array,
  known: Int32Array,
  { list, size, stride }: ListAxis,
  n: number,
): void {
  const last = (size - 1) | 0;
  for (let s = 0; s < n; s = (s + 1) | 0) {
    const index = list[s] as number;
    const place = Math.imul(index < 0 ? 0 : index < last ? index : last, stride);
    o[s] = (known[s] as number) + place;
  }
}

/** As {@link addOffsets}, of indices plus three numbers in turn. */
export function addOffsetsOfSums(
  o: Int32Array,
  { list, size, stride }: ListAxis,
  x: number,
  y: number,
  z: number,
  n: number,
): void {
  const last = (size - 1) | 0;
  for (let s = 0; s < n; s = (s + 3) | 0) {
    const t = (s + 1) | 0;
    const u = (s + 2) | 0;
    const i = ((list[s] as number) + x) | 0;
    const j = ((list[t] as number) + y) | 0;
    const k = ((list[u] as number) + z) | 0;
    (o[s] as number) += Math.imul(i < 0 ? 0 : i < last ? i : last, stride);
    (o[t] as number) += Math.imul(j < 0 ? 0 : j < last ? j : last, stride);
    (o[u] as number) += Math.imul(k < 0 ? 0 : k < last ? k : last, stride);
  }
}

/** Adds indices that are not clamped, times a stride, to offsets. */
export function addProducts(o: Int32Array, list: Int32Array, stride: number, n: number): void {
  for (let s = 0; s < n; s = (s + 1) | 0) {
    (o[s] as number) += Math.imul(list[s] as number, stride);
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

/** Multiplies a list by three numbers and adds elements. */
export function addFloats(
  o: Doubles,
  to: number,
  numbers: Doubles,
  data: Float32Array,
  offsets: Int32Array,
  x: number,
  y: number,
  z: number,
  n: number,
): void {
  const [p, q, r] = [numbers[0] as number, numbers[1] as number, numbers[2] as number];
  for (let s = 0; s < n; s = (s + 3) | 0) {
    const t = (s + 1) | 0;
    const u = (s + 2) | 0;
    o[(to + s) | 0] =
      (o[(to + s) | 0] as number) * p + (data[((offsets[s] as number) + x) | 0] as number);
    o[(to + t) | 0] =
      (o[(to + t) | 0] as number) * q + (data[((offsets[t] as number) + y) | 0] as number);
    o[(to + u) | 0] =
      (o[(to + u) | 0] as number) * r + (data[((offsets[u] as number) + z) | 0] as number);
  }
}

// The same where the rows of a panel share the offsets of keys.

export function gatherFloatsOfKeys(
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
    const key = offsets[s] as number;
    o[(to + s) | 0] = data[(key + x) | 0] as number;
    o[(to + s + 1) | 0] = data[(key + y) | 0] as number;
    o[(to + s + 2) | 0] = data[(key + z) | 0] as number;
  }
}

export function addFloatsOfKeys(
  o: Doubles,
  to: number,
  numbers: Doubles,
  data: Float32Array,
  offsets: Int32Array,
  x: number,
  y: number,
  z: number,
  n: number,
): void {
  const [p, q, r] = [numbers[0] as number, numbers[1] as number, numbers[2] as number];
  for (let s = 0; s < n; s = (s + 3) | 0) {
    const t = (s + 1) | 0;
    const u = (s + 2) | 0;
    const key = offsets[s] as number;
    o[(to + s) | 0] = (o[(to + s) | 0] as number) * p + (data[(key + x) | 0] as number);
    o[(to + t) | 0] = (o[(to + t) | 0] as number) * q + (data[(key + y) | 0] as number);
    o[(to + u) | 0] = (o[(to + u) | 0] as number) * r + (data[(key + z) | 0] as number);
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

/** As {@link addFloats}, of elements that follow one another. */
export function addRuns(
  o: Doubles,
  to: number,
  numbers: Doubles,
  data: Float32Array,
  x: number,
  y: number,
  z: number,
  step: number,
  n: number,
): void {
  const [p, q, r] = [numbers[0] as number, numbers[1] as number, numbers[2] as number];
  for (let s = 0, j = 0; s < n; s = (s + 3) | 0, j = (j + step) | 0) {
    const t = (s + 1) | 0;
    const u = (s + 2) | 0;
    o[(to + s) | 0] = (o[(to + s) | 0] as number) * p + (data[(x + j) | 0] as number);
    o[(to + t) | 0] = (o[(to + t) | 0] as number) * q + (data[(y + j) | 0] as number);
    o[(to + u) | 0] = (o[(to + u) | 0] as number) * r + (data[(z + j) | 0] as number);
  }
}
