import type { AttentionInputs, HostTensor } from "@heed/core";
import fc from "fast-check";
import { Random } from "../../../calls/random.js";

/** Sizes of a random call, and the blocks of its mask. */
export interface RandomSizes {
  readonly batch: number;
  readonly heads: readonly [query: number, kv: number];
  readonly queryLength: number;
  readonly keyLength: number;
  readonly queryOffset: number;
  readonly block: readonly [queries: number, keys: number] | undefined;
  /** Seed of the numbers. */
  readonly numbers: number;
}

/** Draws a {@link RandomSizes}. */
export const randomSizes: { readonly [K in keyof RandomSizes]: fc.Arbitrary<RandomSizes[K]> } = {
  batch: fc.integer({ min: 1, max: 2 }),
  heads: fc.constantFrom<readonly [number, number]>([1, 1], [2, 2], [4, 2]),
  queryLength: fc.integer({ min: 1, max: 40 }),
  keyLength: fc.integer({ min: 1, max: 75 }),
  queryOffset: fc.constantFrom(0, 3, -4),
  block: fc.option(fc.tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 40 })), {
    nil: undefined,
  }),
  numbers: fc.noShrink(fc.nat()),
};

/** Inputs of random numbers. */
export function randomInputs(sizes: RandomSizes): AttentionInputs<HostTensor> {
  const { batch, heads, queryLength, keyLength, queryOffset, numbers } = sizes;
  const random = new Random(numbers);
  const [queryHeads, kvHeads] = heads;
  return {
    query: random.tensor([batch, queryHeads, queryLength, 8], "float32"),
    key: random.tensor([batch, kvHeads, keyLength, 8], "float32"),
    value: random.tensor([batch, kvHeads, keyLength, 8], "float32"),
    queryOffset,
    returns: { logSumExp: true },
  };
}
