/** Loops of tile programs that do several operations at once, as {@link floatLists} does one. */
import type { Doubles } from "./doubles.js";
import { tanhFloat32 } from "./tanh.js";

/** Multiplies a list by three numbers, and adds the products of another list and three other numbers. */
export function addProducts(
  o: Doubles,
  to: number,
  scale: Doubles,
  a: Doubles,
  from: number,
  x: number,
  y: number,
  z: number,
  n: number,
): void {
  const [p, q, r] = [scale[0] as number, scale[1] as number, scale[2] as number];
  for (let s = 0; s < n; s = (s + 3) | 0) {
    const t = (s + 1) | 0;
    const u = (s + 2) | 0;
    o[(to + s) | 0] = (o[(to + s) | 0] as number) * p + (a[(from + s) | 0] as number) * x;
    o[(to + t) | 0] = (o[(to + t) | 0] as number) * q + (a[(from + t) | 0] as number) * y;
    o[(to + u) | 0] = (o[(to + u) | 0] as number) * r + (a[(from + u) | 0] as number) * z;
  }
}

/** As {@link addProducts}, of elements at three places of a longer list, which go forward by `step`. */
export function addShiftedProducts(
  o: Doubles,
  to: number,
  scale: Doubles,
  list: Doubles,
  first: number,
  second: number,
  third: number,
  step: number,
  x: number,
  y: number,
  z: number,
  n: number,
): void {
  const [p, q, r] = [scale[0] as number, scale[1] as number, scale[2] as number];
  for (let s = 0, j = 0; s < n; s = (s + 3) | 0, j = (j + step) | 0) {
    const t = (s + 1) | 0;
    const u = (s + 2) | 0;
    o[(to + s) | 0] = (o[(to + s) | 0] as number) * p + (list[(first + j) | 0] as number) * x;
    o[(to + t) | 0] = (o[(to + t) | 0] as number) * q + (list[(second + j) | 0] as number) * y;
    o[(to + u) | 0] = (o[(to + u) | 0] as number) * r + (list[(third + j) | 0] as number) * z;
  }
}

/** tanh to float32 accuracy of a list times three numbers, times three others: a cap of scores. */
export function capFloats(
  o: Doubles,
  to: number,
  a: Doubles,
  from: number,
  inner: Doubles,
  outer: Doubles,
  n: number,
): void {
  const [p, q, r] = [inner[0] as number, inner[1] as number, inner[2] as number];
  const [x, y, z] = [outer[0] as number, outer[1] as number, outer[2] as number];
  for (let s = 0; s < n; s = (s + 3) | 0) {
    o[(to + s) | 0] = tanhFloat32((a[(from + s) | 0] as number) * p) * x;
    o[(to + s + 1) | 0] = tanhFloat32((a[(from + s + 1) | 0] as number) * q) * y;
    o[(to + s + 2) | 0] = tanhFloat32((a[(from + s + 2) | 0] as number) * r) * z;
  }
}
