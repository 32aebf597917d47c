import { type AttentionOutputs, type HostTensor, mergePartials } from "@heed/core";
import { differing, outputBits } from "../../../calls/bits.js";
import { hiddenKeys, rewriteHidden } from "../build/hidden.js";
import { difference, toleranceOf } from "./compare.js";
import { choose, type Law } from "./law.js";
import { everyFeature, unorderedFeatures } from "./problems.js";
import { onKeys, pickKeys } from "./transform.js";

const permuting: Law = {
  name: "permuting-keys",
  statement: "Keys, values and their masks in another order give the same result.",
  features: unorderedFeatures,
  check: async (call, { run, random }) => {
    const count = call.key.shape[2] as number;
    const order = Array.from({ length: count }, (_, j) => ({ j, by: random.uniform() }))
      .sort((a, b) => a.by - b.by)
      .map(({ j }) => j);
    const permuted = pickKeys(call, order);
    return difference(await run(permuted), await run(call), toleranceOf(call));
  },
};

const doubling: Law = {
  name: "doubling-keys",
  statement: "Every key twice gives the same output, and a log-sum-exp larger by ln 2.",
  features: unorderedFeatures.filter((field) => field !== "sinks"),
  check: async (call, { run }) => {
    const count = call.key.shape[2] as number;
    const order = Array.from({ length: 2 * count }, (_, j) => j % count);
    const doubled = pickKeys(call, order);
    return difference(await run(doubled), await run(call), toleranceOf(doubled), {
      logSumExp: (lse) => lse + Math.LN2,
    });
  },
};

const splitting: Law = {
  name: "splitting-keys",
  statement: "Keys split anywhere and merged by their log-sum-exps give the whole.",
  needsLogSumExp: true,
  features: everyFeature,
  check: async (call, { run, random }) => {
    const count = call.key.shape[2] as number;
    const cuts = [choose(random, count), choose(random, count)].sort((a, b) => a - b);
    const edges = [0, ...cuts, count];
    const parts: AttentionOutputs<HostTensor>[] = [];
    for (const [p, from] of edges.slice(0, -1).entries()) {
      const part = onKeys(call, from, edges[p + 1] as number);
      // A sink is a logit of its own: one part has it.
      parts.push(await run(p === 0 ? part : { ...part, sinks: undefined }));
    }
    const merged = mergePartials(
      parts.map(({ output, logSumExp }) => ({ output, logSumExp: logSumExp as HostTensor })),
    );
    const broken = difference(merged, await run(call), toleranceOf(call));
    return broken && `split before keys ${cuts.join(" and ")}: ${broken}`;
  },
};

const changing: Law = {
  name: "hidden-keys-changed",
  statement:
    "What keys and values hold where lengths, causal or window hide them changes not one bit.",
  features: everyFeature,
  check: async (call, { run, random, arithmetic }) => {
    const before = outputBits(await run(call));
    const poisons = arithmetic.nonFinite
      ? [Number.NaN, Number.POSITIVE_INFINITY, 1e4]
      : [1e4, call.key.dtype === "float16" ? -6e4 : -1e30];
    for (const poison of [...poisons, null]) {
      const changed = rewriteHidden(call, () => poison ?? random.normal());
      const names = differing(before, outputBits(await run(changed)));
      if (names.length > 0) {
        return `with ${poison ?? "other numbers"} in hidden keys, ${names.join(" and ")} changes`;
      }
    }
    return null;
  },
};

const truncating: Law = {
  name: "hidden-keys-truncated",
  statement: "Keys that no row of any batch may see can be left out, at either end.",
  features: everyFeature,
  check: async (call, { run }) => {
    const hidden = hiddenKeys(call);
    const [batch, count] = [call.key.shape[0] as number, call.key.shape[2] as number];
    const seen = Array.from({ length: count }, (_, j) => j).filter((j) =>
      Array.from({ length: batch }, (_, b) => b).some((b) => !hidden(b, j)),
    );
    const from = seen[0] ?? 0;
    const to = (seen.at(-1) ?? -1) + 1;
    const short = onKeys(call, from, Math.max(from, to));
    const broken = difference(await run(short), await run(call), toleranceOf(call));
    return broken && `on keys ${from} to ${to} of ${count}: ${broken}`;
  },
};

export const keyLaws: readonly Law[] = [permuting, doubling, splitting, changing, truncating];
