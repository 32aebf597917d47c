import {
  type BoundRotary,
  type HostTensor,
  type RotaryOutputs,
  rotary,
  toFloat64,
} from "@heed/core";
import type { Arithmetic } from "../../judge/arithmetic.js";
import { judgeElements } from "../../judge/elements.js";
import { formViolations } from "../../judge/form.js";
import { unitRoundoff } from "../../judge/roundoff.js";
import { summarise, type Verdict } from "../../judge/verdict.js";
import type { RotaryCall } from "./build.js";

/**
 * Judges a call's output against float64. An element is x·cos − y·sin: with u the unit roundoff of the
 * dtype, each product, their sum and the result are rounded once, which is off by at most
 * 3u·(|x·cos| + |y·sin|); twice that is allowed, and the spacing of the subnormal numbers. Elements that
 * are not turned must stay as they are, to the bit. A NaN spoils its own pair and nothing else.
 *
 * @param recorded what to compare with; default the reference
 */
export function judgeRotary(
  call: RotaryCall,
  outputs: RotaryOutputs<HostTensor>,
  arithmetic: Arithmetic,
  recorded?: RotaryOutputs<HostTensor>,
): Verdict {
  const problem = rotary.describe(call);
  const bound = rotary.bind(problem, call) as BoundRotary<HostTensor>;
  const { dtype } = problem;
  const violations = formViolations(rotary, problem, outputs);
  if (violations.length > 0) return summarise([], violations);
  const expected = toFloat64((recorded ?? rotary.reference(bound)).output as HostTensor);
  const size = magnitudes(bound);
  const u = unitRoundoff[dtype];
  return judgeElements(outputs.output, expected, arithmetic, (at) =>
    size[at] === 0 ? 0 : 6 * u * (size[at] as number) + 2 * arithmetic.tiny[dtype],
  );
}

/** |x·cos| + |y·sin| of each element; 0 where it is not turned. */
function magnitudes(bound: BoundRotary<HostTensor>): Float64Array {
  const { heads, length, headDim, rotaryDim, interleaved } = bound.problem;
  const input = toFloat64(bound.input);
  const [cos, sin] = [toFloat64(bound.cos), toFloat64(bound.sin)];
  const half = rotaryDim / 2;
  return input.map((x, at) => {
    const c = at % headDim;
    if (c >= rotaryDim) return 0;
    const first = interleaved ? c % 2 === 0 : c < half;
    const i = interleaved ? Math.floor(c / 2) : c % half;
    const other = input[at + (first ? 1 : -1) * (interleaved ? 1 : half)] as number;
    const token = Math.floor(at / headDim);
    const b = Math.floor(token / (heads * length));
    const angle = (bound.rows[b * length + (token % length)] as number) * half + i;
    return (
      Math.abs(x * (cos[angle] as number)) + Math.abs(other * (sin[angle] as number)) ||
      Number.MIN_VALUE
    );
  });
}
