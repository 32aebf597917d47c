import { fromFloat64, type HostTensor, type ScatterInputs, tensor } from "@heed/core";
import { rewriteElements } from "../../calls/elements.js";
import { layOut } from "../../calls/layout.js";
import { Random } from "../../calls/random.js";
import type { ScatterSpec, SlotPattern } from "./spec.js";

export type ScatterCall = ScatterInputs<HostTensor> & { readonly slots: Int32Array };

/** Halves of float16, of its smallest numbers and of integers; zeros of both signs; large numbers. */
const edges = [
  1 + 2 ** -11,
  -1 - 3 * 2 ** -11,
  2 ** -25,
  3 * 2 ** -25,
  -0,
  0,
  65519,
  -127,
  2.5,
  1.5,
  -0.5,
  0.1,
];

/**
 * The call that a spec describes.
 *
 * @param seed the case's id: the same one always gives the same numbers
 */
export function buildScatter(spec: ScatterSpec, seed: string): ScatterCall {
  const { batch = 2, heads = 2, count, headDim = 8, rows = 7, pages } = spec;
  const { source: from = "float32", target: to = "float32" } = spec;
  const entries = pages ?? batch;
  const random = new Random(seed);
  const old = random.normals(entries * heads * rows * headDim);
  const held = fromFloat64(
    to === "int8" ? old.map((x) => Math.round(x * 40)) : old,
    [entries, heads, rows, headDim],
    to,
  );
  const source = layOut(
    valuesOf(spec, random, [batch, heads, count, headDim]),
    spec.from ?? "bhld",
  );
  return {
    target: layOut(held, spec.layout ?? "bhld"),
    source:
      spec.values === "nan"
        ? (rewriteElements([source], (x, at) => special(x, at, headDim))[0] as HostTensor)
        : source,
    slots: slotsOf(spec.slots ?? "append", batch, count, entries, rows, pages !== undefined),
    ...(to === "int8" && { scales: random.tensor([entries, heads, rows], "float32") }),
    ...(pages === batch && { paged: true }),
  };

  function valuesOf({ values }: ScatterSpec, r: Random, shape: readonly number[]): HostTensor {
    if (values !== "edges") return r.tensor(shape, from);
    const total = shape.reduce((product, size) => product * size, 1);
    // Every third row is zeros.
    const numbers = Float64Array.from({ length: total }, (_, at) =>
      Math.floor(at / headDim) % 3 === 2
        ? 0
        : (edges[(at * 5 + (at >> 3)) % edges.length] as number),
    );
    return fromFloat64(numbers, shape, from);
  }
}

/** NaN in the first row, and an infinity in the third. */
function special(x: number, at: number, headDim: number): number {
  if (at === 1 % headDim) return Number.NaN;
  return at === 2 * headDim ? Number.NEGATIVE_INFINITY : x;
}

function slotsOf(
  pattern: SlotPattern,
  batch: number,
  count: number,
  entries: number,
  rows: number,
  paged: boolean,
): Int32Array {
  const limit = paged ? entries * rows : rows;
  // A step without a common divisor visits every row once.
  const step = [5, 3, 11, 13, 1].find((s) => limit % s !== 0 || s === 1) as number;
  return Int32Array.from({ length: batch * count }, (_, at) => {
    const [b, i] = [Math.floor(at / count), at % count];
    if (pattern === "none" || (pattern === "holes" && at % 3 === 1)) return -1;
    // Batch entries of pages share one pool: their rows follow on.
    const number = paged ? at : i;
    const row = pattern === "mixed" ? number * step : number;
    return (row + (paged ? 1 : b + 1)) % limit;
  });
}

/**
 * The same call over copies of what is written, each in the middle of a larger array.
 *
 * @param zone elements before and after
 */
export function onCopies(call: ScatterCall, zone = 64): ScatterCall {
  const copy = (t: HostTensor, fill: number): HostTensor => {
    const { data } = t;
    const wide = new (data.constructor as new (length: number) => typeof data)(
      data.length + 2 * zone,
    );
    wide.fill(fill);
    wide.set(data as never, zone);
    const { dtype, shape, strides, offset } = t;
    return tensor(wide, shape, { dtype, strides, offset: offset + zone });
  };
  return {
    ...call,
    target: copy(call.target, 77),
    ...(call.scales && { scales: copy(call.scales, 77) }),
  };
}
