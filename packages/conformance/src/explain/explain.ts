import {
  type AttentionInputs,
  type AttentionOutputs,
  type HostTensor,
  referenceAttention,
  toFloat64,
} from "@heed/core";
import { hypotheses } from "./hypotheses.js";

/** How a case's failure tells what explains it. */
export const mistakePrefix = "this is what comes out if ";
export const mistakeSeparator = "; or if ";

/** Multiply-adds of a call past which looking for explanations takes too long. */
const most = 4e6;

/**
 * Which known mistakes would give what a backend gave: each is made in float64 and compared.
 *
 * @returns the mistakes' names; empty where none explains it
 */
export function explainOutput(
  inputs: AttentionInputs<HostTensor>,
  outputs: AttentionOutputs<HostTensor>,
): string[] {
  const { output } = outputs;
  const [batch, heads, queries, size] = inputs.query.shape as [number, number, number, number];
  const keys = inputs.key.shape[2] as number;
  if (output === undefined || batch * heads * queries * keys * size > most) return [];
  const got = toFloat64(output);
  const right = plainOutput(inputs);
  if (got.length !== right.length || close(got, right)) return [];
  return hypotheses
    .filter(({ change }) => {
      try {
        const changed = change(inputs);
        if (changed === null) return false;
        const wrong = plainOutput(changed);
        // A mistake that makes no difference here explains nothing.
        return close(got, wrong) && !close(right, wrong);
      } catch {
        // What the mistake makes of this call cannot be computed.
        return false;
      }
    })
    .map(({ name }) => name);
}

function plainOutput(inputs: AttentionInputs<HostTensor>): Float64Array {
  return toFloat64(referenceAttention({ ...inputs, returns: undefined }).output);
}

/** To a thousandth of the largest number: mistakes make far larger differences, rounding smaller. */
function close(a: Float64Array, b: Float64Array): boolean {
  let largest = 0;
  for (const x of b) if (Number.isFinite(x)) largest = Math.max(largest, Math.abs(x));
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] as number, b[i] as number];
    if (Object.is(x, y)) continue;
    if (!(Math.abs(x - y) <= 1e-3 * largest)) return false;
  }
  return true;
}
