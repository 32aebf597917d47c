import { type BoundScatter, type HostTensor, scatter, toFloat64 } from "@heed/core";
import type { Arithmetic } from "../../judge/arithmetic.js";
import { compareElements, whereElements } from "../../judge/elements.js";
import { summarise, type Verdict } from "../../judge/verdict.js";
import type { ScatterCall } from "./build.js";
import { type Scattered, scatterWith } from "./mistakes.js";

/**
 * Judges what a call left in its target. A float element must be the source's, correctly rounded; on a
 * device that may flush subnormal numbers, those may be off by the smallest normal one. Of an int8 row, the
 * scale must be right to 4 units in the last place, and an element at most half a step, and the error of
 * one division, from x / scale, by the scale that was written; on a CPU, an exact half must be even.
 * Rows that no slot names must be as they were, to the bit, which {@link untouchedViolations} asks.
 *
 * @param call the call as it was before the run
 * @param got its target and scales after the run
 */
export function judgeScatter(
  call: ScatterCall,
  got: Scattered,
  { tiny, nonFinite }: Arithmetic,
): Verdict {
  const problem = scatter.describe(call);
  const { entries, heads, rows, headDim, targetDType } = problem;
  const bound = scatter.bind(problem, call) as BoundScatter<HostTensor>;
  const shape = [entries, heads, rows, headDim];
  const right = scatterWith(call, {});
  const target = toFloat64(got.target);
  const expected = toFloat64(right.target);
  const leniency = (value: number) => (!nonFinite && !Number.isFinite(value) ? "anything" : "none");
  if (targetDType !== "int8") {
    const smallest = { float64: 2 ** -1022, float32: 2 ** -126, float16: 2 ** -14 }[targetDType];
    const comparison = compareElements({
      name: "target",
      shape,
      dtype: targetDType,
      got: target,
      expected,
      floor: (_, x) => (!nonFinite && Math.abs(x) < smallest ? tiny[targetDType] : 0),
      leniency: (_, at) => leniency(expected[at] as number),
    });
    return summarise([comparison], [], whereElements(comparison));
  }
  const [scales, wanted] = [got.scales, right.scales].map((t) => toFloat64(t as HostTensor)) as [
    Float64Array,
    Float64Array,
  ];
  const places = [entries, heads, rows];
  const ofScales = compareElements({
    name: "scales",
    shape: [...places, 1],
    dtype: "float32",
    got: scales,
    expected: wanted,
    floor: (_, x) =>
      (nonFinite ? 2 ** -24 : 2 ** -21) * Math.abs(x) + (nonFinite ? 0 : tiny.float32),
    leniency: (_, at) => leniency(wanted[at] as number),
  });
  const exactRows = quotients(bound, scales, expected);
  const ofElements = compareElements({
    name: "target",
    shape,
    dtype: "float32",
    got: target,
    expected: exactRows,
    floor: (at) =>
      Object.is(exactRows[at], expected[at]) && exactRows[at] === 0
        ? 0
        : 0.5 + (nonFinite ? 2 ** -17 : 2 ** -15),
    leniency: (_, at) => {
      const scale = wanted[Math.floor(at / headDim)] as number;
      return !nonFinite && !(scale >= tiny.float32) ? "anything" : "none";
    },
  });
  const violations: string[] = [];
  if (target.some((q) => !Number.isInteger(q) || Math.abs(q) > 128)) {
    violations.push("target holds something else than small integers");
  }
  const halves = exactRows.findIndex(
    (x, at) =>
      Math.abs(x % 1) === 0.5 &&
      Object.is(scales[Math.floor(at / headDim)], wanted[Math.floor(at / headDim)]) &&
      target[at] !== expected[at],
  );
  if (nonFinite && halves >= 0) {
    violations.push(`target is ${target[halves]} for ${exactRows[halves]} steps, not the even one`);
  }
  return summarise([ofScales, ofElements], violations, whereElements(ofElements));
}

/** Elements of an int8 target in steps of the scale that was written, not rounded. */
function quotients(
  { problem: p, slots, source }: BoundScatter<HostTensor>,
  scales: Float64Array,
  old: Float64Array,
): Float64Array {
  const exact = old.slice();
  const values = toFloat64(source);
  for (let b = 0; b < p.batch; b++) {
    for (let i = 0; i < p.count; i++) {
      const slot = slots[b * p.count + i] as number;
      if (slot < 0) continue;
      for (let h = 0; h < p.heads; h++) {
        const place = (Math.floor(slot / p.rows) * p.heads + h) * p.rows + (slot % p.rows);
        const scale = scales[place] as number;
        const from = ((b * p.heads + h) * p.count + i) * p.headDim;
        for (let c = 0; c < p.headDim; c++) {
          const steps = scale > 0 ? (values[from + c] as number) / scale : 0;
          exact[place * p.headDim + c] = Math.max(-127, Math.min(127, steps));
        }
      }
    }
  }
  return exact;
}

/**
 * Rules that a run broke outside of the rows that it had to write.
 *
 * @param before copies of the arrays under target and scales before the run
 * @param after the same arrays after it
 */
export function untouchedViolations(
  call: ScatterCall,
  before: ScatterCall,
  after: ScatterCall,
): string[] {
  const violations: string[] = [];
  for (const name of ["target", "scales"] as const) {
    const [old, now] = [before[name], after[name]];
    if (!old || !now) continue;
    const written = indicesWritten(call, now, name === "target");
    const bytes = old.data.BYTES_PER_ELEMENT;
    const [a, b] = [old, now].map(
      ({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    ) as [Uint8Array, Uint8Array];
    const wrong = a.findIndex((x, at) => x !== b[at] && !written.has(Math.floor(at / bytes)));
    if (wrong >= 0) {
      violations.push(
        `element ${Math.floor(wrong / bytes)} of the memory under ${name}, which no slot names, was changed`,
      );
    }
  }
  return violations;
}

/** Indices in the data of a target, or of scales, of the elements that a call names. */
function indicesWritten(call: ScatterCall, t: HostTensor, whole: boolean): Set<number> {
  const bound = scatter.bind(scatter.describe(call), call);
  const { heads, rows, headDim } = bound.problem;
  const [sb, sh, sr, sc = 0] = t.strides as [number, number, number, number?];
  const found = new Set<number>();
  for (const slot of bound.slots) {
    if (slot < 0) continue;
    const at = t.offset + Math.floor(slot / rows) * sb + (slot % rows) * sr;
    for (let h = 0; h < heads; h++) {
      for (let c = 0; c < (whole ? headDim : 1); c++) found.add(at + h * sh + c * sc);
    }
  }
  return found;
}
