import { elementCount, type FloatDType, fromFloat64, type HostTensor } from "@heed/core";
import type { Random } from "../../../calls/random.js";
import { largestNumber } from "../../../judge/roundoff.js";
import type { CaseSpec } from "../spec.js";

export function buildMask(
  { shape, rows, anyByte }: NonNullable<CaseSpec["mask"]>,
  random: Random,
): HostTensor {
  const mask = random.mask(shape, 2 / 3);
  if (rows === "after-diagonal") {
    const [queries, keys] = shape.slice(-2) as [number, number];
    for (let at = 0; at < mask.data.length; at++) {
      mask.data[at] = at % keys > Math.floor(at / keys) % queries ? 1 : 0;
    }
  }
  if (rows === "empty-rows") {
    const keys = shape.at(-1) as number;
    for (let at = 0; at < mask.data.length; at++) {
      if (Math.floor(at / keys) % 3 === 1) mask.data[at] = 0;
    }
  }
  if (anyByte) {
    // 2 and 128 have no lowest bit, 255 is −1 as a signed byte.
    const bytes = [2, 128, 255, 1, 4, 254] as const;
    for (let at = 0; at < mask.data.length; at++) {
      if (mask.data[at] !== 0) mask.data[at] = bytes[at % bytes.length] as number;
    }
  }
  return mask;
}

export function buildBias(
  { shape, dtype: own, holes }: NonNullable<CaseSpec["bias"]>,
  dtype: FloatDType,
  random: Random,
): HostTensor {
  const values = random.normals(elementCount(shape));
  const lowest = -largestNumber[own ?? dtype];
  const keys = shape.at(-1) as number;
  for (let at = 0; at < values.length; at++) {
    if (holes === "-inf" && random.uniform() < 1 / 3) values[at] = Number.NEGATIVE_INFINITY;
    if (holes === "finfo-min" && random.uniform() < 1 / 3) values[at] = lowest;
    if (holes === "-inf-or-0") values[at] = random.uniform() < 1 / 3 ? Number.NEGATIVE_INFINITY : 0;
    if (holes === "one-largest")
      values[at] = at % keys === Math.floor(at / keys) % keys ? -lowest : 0;
    if (Math.floor(at / keys) % 3 !== 1) continue;
    if (holes === "-inf-rows") values[at] = Number.NEGATIVE_INFINITY;
    if (holes === "finfo-min-rows") values[at] = lowest;
    if (holes === "finfo-min-and-inf-rows") {
      values[at] = random.uniform() < 1 / 3 ? Number.NEGATIVE_INFINITY : lowest;
    }
  }
  return fromFloat64(values, shape, own ?? dtype);
}
