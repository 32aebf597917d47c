import {
  type AttentionInputs,
  bindPositions,
  describeProblem,
  type HostTensor,
  visibleBand,
} from "@heed/core";
import { rewriteElements } from "../../../calls/elements.js";
import type { Poison } from "../spec.js";

/**
 * Which keys a call hides from every row of a batch by kvLengths, causal or window: what they hold
 * may not be read into a result. (A mask or a bias hides a weight, not a key.)
 */
export function hiddenKeys(
  inputs: AttentionInputs<HostTensor>,
): (batch: number, key: number) => boolean {
  const problem = describeProblem(inputs);
  const { offsets, kvLengths } = bindPositions(problem, inputs);
  const { left, right } = visibleBand(problem);
  return (b, j) => {
    const first = offsets[b] as number;
    const last = first + problem.queryLength - 1;
    return j >= (kvLengths[b] as number) || j < first - left || j > last + right;
  };
}

/** Replaces the elements of keys and values that {@link hiddenKeys} names; layouts stay. */
export function rewriteHidden(
  inputs: AttentionInputs<HostTensor>,
  replace: (old: number, at: number) => number,
): AttentionInputs<HostTensor> {
  const hidden = hiddenKeys(inputs);
  const { key, value } = inputs;
  const replaced = rewriteElements([key, value], (old, at, { shape }) => {
    const [, heads, length, size] = shape as [number, number, number, number];
    const j = Math.floor(at / size) % length;
    const b = Math.floor(at / (heads * length * size));
    return hidden(b, j) ? replace(old, at) : old;
  });
  return { ...inputs, key: replaced[0] as HostTensor, value: replaced[1] as HostTensor };
}

/** Poisons what no row can see. */
export function poisonHidden(
  inputs: AttentionInputs<HostTensor>,
  poison: Poison,
): AttentionInputs<HostTensor> {
  const large = inputs.key.dtype === "float16" ? 6e4 : 1e30;
  const signed = (size: number) => (_: number, at: number) => (at % 2 === 0 ? size : -size);
  const bad = {
    NaN: () => Number.NaN,
    infinity: signed(Number.POSITIVE_INFINITY),
    large: signed(large),
  };
  return rewriteHidden(inputs, bad[poison]);
}
