/** Loops of tile programs that do several operations at once, as {@link floatLists} does one. */
import type { Doubles } from "./doubles.js";
import { tanhFloat32 } from "./tanh.js";

/** Adds the products of a list and three numbers to another list. */
export function addProducts(
  o: Doubles,
  to: number,
  a: Doubles,
  from: number,
  x: number,
  y: number,
  z: number,
  n: number,
): void {
  for (let s = 0; s < n; s = (s + 3) | 0) {
    (o[(to + s) | 0] as number) += (a[(from + s) | 0] as number) * x;
    (o[(to + s + 1) | 0] as number) += (a[(from + s + 1) | 0] as number) * y;
    (o[(to + s + 2) | 0] as number) += (a[(from + s + 2) | 0] as number) * z;
  }
}

/** Adds the products of elements at three places of a longer list, which go forward by `step`, and three numbers. */
export function addShiftedProducts(
  o: Doubles,
  to: number,
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
  for (let s = 0, j = 0; s < n; s = (s + 3) | 0, j = (j + step) | 0) {
    (o[(to + s) | 0] as number) += (list[(first + j) | 0] as number) * x;
    (o[(to + s + 1) | 0] as number) += (list[(second + j) | 0] as number) * y;
    (o[(to + s + 2) | 0] as number) += (list[(third + j) | 0] as number) * z;
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
