import {
  type AttentionInputs,
  bindInputs,
  bindPositions,
  broadcastTo,
  describeProblem,
  type HostTensor,
  headsPerGroup,
  toFloat64,
  visibleBand,
  visibleKeys,
} from "@heed/core";
import { programEvaluator } from "@heed/core/program";
import { rewriteElements } from "../../../calls/elements.js";
import type { Poison } from "../spec.js";

/**
 * Which keys a call hides from every row of a batch by kvLengths, causal or window: what they hold
 * may not be read into a result. Masks and biases hide a key from some rows only, as a rule: see
 * {@link keysHiddenByAnyRule}.
 */
export function hiddenKeys(
  inputs: AttentionInputs<HostTensor>,
): (batch: number, key: number) => boolean {
  const problem = describeProblem(inputs);
  const { offsets, kvLengths } = bindPositions(problem, inputs);
  const band = visibleBand(problem);
  return (b, j) => {
    const first = offsets[b] as number;
    const last = first + problem.queryLength - 1;
    const { start, end } = visibleKeys(band, kvLengths[b] as number, first, last);
    return j < start || j >= end;
  };
}

/**
 * Replaces the elements of hidden keys and values; layouts stay.
 *
 * @param isHidden default: those that {@link hiddenKeys} names
 */
export function rewriteHidden(
  inputs: AttentionInputs<HostTensor>,
  replace: (old: number, at: number) => number,
  isHidden?: (batch: number, kvHead: number, key: number) => boolean,
): AttentionInputs<HostTensor> {
  const byPosition = hiddenKeys(inputs);
  const hidden = isHidden ?? ((b: number, _: number, j: number) => byPosition(b, j));
  const { key, value } = inputs;
  const replaced = rewriteElements([key, value], (old, at, { shape }) => {
    const [, heads, length, size] = shape as [number, number, number, number];
    const j = Math.floor(at / size) % length;
    const b = Math.floor(at / (heads * length * size));
    const g = Math.floor(at / (length * size)) % heads;
    return hidden(b, g, j) ? replace(old, at) : old;
  });
  return { ...inputs, key: replaced[0] as HostTensor, value: replaced[1] as HostTensor };
}

/**
 * Which keys a call hides, by any rule, from every row that reads their head: by kvLengths, causal or
 * window, by a mask, a mask program or a block mask, or by a bias of −∞.
 */
export function keysHiddenByAnyRule(
  inputs: AttentionInputs<HostTensor>,
): (batch: number, kvHead: number, key: number) => boolean {
  const problem = describeProblem(inputs);
  const { queryHeads, queryLength, keyLength } = problem;
  const { offsets, kvLengths } = bindPositions(problem, inputs);
  const band = visibleBand(problem);
  const full = [problem.batch, queryHeads, queryLength, keyLength];
  const mask = inputs.mask && toFloat64(broadcastTo(inputs.mask, full));
  const bias = inputs.bias && toFloat64(broadcastTo(inputs.bias, full));
  const group = headsPerGroup(problem);
  const bound = bindInputs(problem, inputs);
  const shows = bound.maskMod && programEvaluator(bound.maskMod);
  const visited = bound.blockMask?.blocks;
  const seen = (b: number, h: number, i: number, j: number): boolean => {
    const { start, end } = visibleKeys(band, kvLengths[b] as number, (offsets[b] as number) + i);
    const at = ((b * queryHeads + h) * queryLength + i) * keyLength + j;
    if (j < start || j >= end) return false;
    if (mask?.[at] === 0 || bias?.[at] === Number.NEGATIVE_INFINITY) return false;
    const block = visited && [Math.floor(i / visited.queryBlock), Math.floor(j / visited.keyBlock)];
    if (block && visited.kind(b, h, block[0] as number, block[1] as number) === "empty")
      return false;
    const query = i + (offsets[b] as number);
    return shows?.({ batch: b, head: h, query, key: j, queryIndex: i, keyIndex: j }) !== 0;
  };
  return (b, g, j) => {
    for (let h = g * group; h < (g + 1) * group; h++) {
      for (let i = 0; i < queryLength; i++) if (seen(b, h, i, j)) return false;
    }
    return true;
  };
}

/**
 * Poisons what no row can see.
 *
 * @param anyRule whether masks and biases hide, too, and not only positions
 */
export function poisonHidden(
  inputs: AttentionInputs<HostTensor>,
  poison: Poison,
  anyRule: boolean = false,
): AttentionInputs<HostTensor> {
  const large = inputs.key.dtype === "float16" ? 6e4 : 1e30;
  const signed = (size: number) => (_: number, at: number) => (at % 2 === 0 ? size : -size);
  const bad = {
    NaN: () => Number.NaN,
    infinity: signed(Number.POSITIVE_INFINITY),
    large: signed(large),
  };
  return rewriteHidden(inputs, bad[poison], anyRule ? keysHiddenByAnyRule(inputs) : undefined);
}
