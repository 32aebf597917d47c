import {
  type AttentionInputs,
  attentionWork,
  describeProblem,
  type HostTensor,
  slice,
  tensor,
  zeros,
} from "@heed/core";
import { describe, expect, test } from "vitest";

type Rules = Omit<AttentionInputs<HostTensor>, "query" | "key" | "value">;

interface Sizes {
  readonly batch: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly queries: number;
  readonly keys: number;
  readonly dim: number;
  readonly valueDim: number;
}

const sizes: Sizes = {
  batch: 2,
  heads: 4,
  kvHeads: 2,
  queries: 7,
  keys: 11,
  dim: 3,
  valueDim: 5,
};

function inputs(s: Sizes, rules: Rules): AttentionInputs<HostTensor> {
  return {
    query: zeros("float32", [s.batch, s.heads, s.queries, s.dim]),
    key: zeros("float32", [s.batch, s.kvHeads, s.keys, s.dim]),
    value: zeros("float32", [s.batch, s.kvHeads, s.keys, s.valueDim]),
    ...rules,
  };
}

/** Visible pairs of the semantics, one by one, and the keys that any query sees. */
function count(s: Sizes, rules: Rules): { pairs: number; keys: number } {
  let pairs = 0;
  let keys = 0;
  for (let b = 0; b < s.batch; b++) {
    const length = rules.kvLengths?.[b] ?? s.keys;
    const seen = new Set<number>();
    for (let i = 0; i < s.queries; i++) {
      const { queryOffset = 0 } = rules;
      const offset =
        queryOffset === "bottom-right"
          ? length - s.queries
          : typeof queryOffset === "number"
            ? queryOffset
            : (queryOffset[b] as number);
      const p = i + offset;
      for (let j = 0; j < length; j++) {
        if (rules.causal && j > p) continue;
        if (rules.window && j < p - (rules.window.left ?? Number.POSITIVE_INFINITY)) continue;
        if (rules.window && j > p + (rules.window.right ?? Number.POSITIVE_INFINITY)) continue;
        pairs += s.heads;
        seen.add(j);
      }
    }
    keys += seen.size;
  }
  return { pairs, keys };
}

const rules: Record<string, Rules> = {
  full: {},
  causal: { causal: true, queryOffset: 0 },
  "causal at the end": { causal: true, queryOffset: "bottom-right" },
  "causal, before the first key": { causal: true, queryOffset: -3 },
  "causal, past the last key": { causal: true, queryOffset: 30 },
  "causal, an offset a batch": { causal: true, queryOffset: [2, -9] },
  window: { window: { left: 2, right: 1 }, queryOffset: 0 },
  "window of one key": { window: { left: 0, right: 0 }, queryOffset: 3 },
  "window open to the left": { window: { right: 1 }, queryOffset: 1 },
  "window open to the right": { window: { left: 1 }, queryOffset: "bottom-right" },
  "window past every key": { window: { left: 2, right: 2 }, queryOffset: 40 },
  "causal window": { causal: true, window: { left: 3, right: 5 }, queryOffset: 2 },
  lengths: { kvLengths: [4, 0] },
  "lengths, causal": { kvLengths: [9, 5], causal: true, queryOffset: "bottom-right" },
  "lengths, window": { kvLengths: [9, 3], window: { left: 1, right: 1 }, queryOffset: 0 },
};

describe("attentionWork counts what is visible", () => {
  test.each(Object.entries(rules))("%s", (_, rule) => {
    const call = inputs(sizes, rule);
    const work = attentionWork(describeProblem(call), call);
    const { pairs, keys } = count(sizes, rule);
    expect(work.visiblePairs).toBe(pairs);
    expect(work.flops).toBe(2 * pairs * (sizes.dim + sizes.valueDim));
    const rows = sizes.batch * sizes.heads * sizes.queries;
    const elements = (rows + sizes.kvHeads * keys) * (sizes.dim + sizes.valueDim);
    expect(work.bytes).toBe(4 * elements);
  });

  test("a mask and a bias move as they are stored, and leave the pairs alone", () => {
    const plain = inputs(sizes, {});
    const call = inputs(sizes, {
      mask: zeros("bool", [sizes.queries, sizes.keys]),
      bias: zeros("float32", [sizes.heads, 1, sizes.keys]),
    });
    const work = attentionWork(describeProblem(call), call);
    const without = attentionWork(describeProblem(plain), plain);
    expect(work.flops).toBe(without.flops);
    expect(work.bytes - without.bytes).toBe(
      sizes.queries * sizes.keys + 4 * sizes.heads * sizes.keys,
    );
  });

  test("of a block mask, the blocks that are not empty, as far as rules leave them", () => {
    // Blocks of 3 queries and 4 keys, of 7 queries and 11 keys; one for each head.
    const blocks = [0, 1, 1, 1, 0, 1, 1, 1, 0];
    const mask = tensor(
      Uint8Array.from({ length: 36 }, (_, at) => blocks[at % 9] as number),
      [1, 4, 3, 3],
      { dtype: "bool" },
    );
    const blockMask = { mask, queryBlock: 3, keyBlock: 4 };
    const seen = (rule: Rules, sees: (b: number, i: number, j: number) => boolean) => {
      const call = inputs(sizes, { blockMask, ...rule });
      let pairs = 0;
      for (let b = 0; b < sizes.batch; b++) {
        for (let i = 0; i < sizes.queries; i++) {
          for (let j = 0; j < sizes.keys; j++) {
            const block = blocks[3 * Math.floor(i / 3) + Math.floor(j / 4)] === 1;
            if (block && sees(b, i, j)) pairs += sizes.heads;
          }
        }
      }
      const { visiblePairs } = attentionWork(describeProblem(call), call);
      expect(visiblePairs).toBe(pairs);
      const same = { ...call, blockMask: { ...blockMask, mask: slice(mask, 1, 0, 1) } };
      expect(attentionWork(describeProblem(same), same).visiblePairs).toBe(pairs);
    };
    seen({}, () => true);
    seen({ causal: true, queryOffset: 2 }, (_, i, j) => j <= i + 2);
    seen({ kvLengths: [9, 3] }, (b, _, j) => j < (b === 0 ? 9 : 3));
  });

  test("no keys are no work", () => {
    const call = inputs({ ...sizes, keys: 0 }, {});
    expect(attentionWork(describeProblem(call), call)).toMatchObject({ visiblePairs: 0, flops: 0 });
  });
});
