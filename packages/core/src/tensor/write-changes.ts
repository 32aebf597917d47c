import type { TypedArray } from "./dtype.js";
import type { HostTensor } from "./interfaces.js";
import { forEachRun } from "./layout.js";
import { toFloat64, writeValues } from "./values.js";

/**
 * Writes a tensor's values into another one of its shape, in place. Elements whose value stays the
 * same keep their bits, which a NaN has many of.
 */
export function writeChanges(target: HostTensor, values: HostTensor): void {
  const before = toFloat64(target);
  const after = toFloat64(values);
  let at = 0;
  forEachRun(target, (start, length, stride) => {
    for (let i = 0; i < length; i++, at++) {
      if (Object.is(before[at], after[at])) continue;
      const value = after[at] as number;
      writeValues([value], target.data as TypedArray, start + i * stride, target.dtype);
    }
  });
}
