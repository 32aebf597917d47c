import fc from "fast-check";
import type { CaseSpec, PositionsSpec } from "../spec.js";
import { everyFeature, problems } from "./problems.js";

/** A value in every third or second problem, or so. */
const maybe = <T>(values: fc.Arbitrary<T>, of: 2 | 3 = 2): fc.Arbitrary<T | undefined> =>
  fc.oneof({ arbitrary: fc.constant(undefined), weight: of - 1 }, { arbitrary: values, weight: 1 });

const positions: fc.Arbitrary<PositionsSpec> = fc.record({
  order: fc.constantFrom("plain", "ring", "tree", "scattered"),
  one: fc.boolean(),
});

/** Everything that a problem does not say of storage, sequences, positions and results. */
const drawn = fc.record({
  plain: problems(everyFeature),
  /** Features that the problem keeps: with all of them, few keys are left to see. */
  kept: fc.subarray([...everyFeature]),
  kvDtype: maybe(fc.constantFrom("float16" as const, "int8" as const)),
  pages: maybe(
    fc.record({
      divisor: fc.nat(7),
      shared: fc.nat(2),
      unused: fc.constantFrom(-1, 2 ** 31 - 1),
    }),
  ),
  ragged: maybe(
    fc.record({
      queries: fc.tuple(fc.nat(40), fc.nat(40), fc.nat(40)),
      keys: fc.tuple(fc.nat(75), fc.nat(75), fc.nat(75)),
    }),
  ),
  queryPositions: maybe(positions, 3),
  keyPositions: maybe(positions, 3),
  weights: maybe(fc.constant(true), 3),
  scores: maybe(fc.constantFrom("raw" as const, "capped" as const, "biased" as const), 3),
  poison: maybe(fc.constantFrom("NaN" as const, "infinity" as const, "large" as const)),
});

type Drawn = typeof drawn extends fc.Arbitrary<infer T> ? T : never;

/**
 * Random calls with everything that a call can say but programs and block masks: those of {@link problems}, in any
 * storage, in sequences of any length, at any positions, with any results.
 */
export const storedProblems: fc.Arbitrary<CaseSpec> = drawn.map(specOf);

function specOf({ plain, kept, ...one }: Drawn): CaseSpec {
  const { kvDtype, pages, ragged, queryPositions, keyPositions, weights, scores, poison } = one;
  const { batch = 1, queryHeads = 2, queryLength, keyLength = queryLength, dtype } = plain;
  const dropped = everyFeature.filter(
    (field) => field !== "queryOffset" && !kept.includes(field),
  ) as readonly string[];
  const spec: CaseSpec = Object.fromEntries(
    Object.entries(plain).filter(([field]) => !dropped.includes(field)),
  ) as unknown as CaseSpec;
  const atMost = (counts: readonly number[], most: number): number[] =>
    counts.slice(0, batch).map((count) => Math.min(count, most));
  const perHead = { shape: [queryHeads, 1, 1] };
  return {
    ...spec,
    ...(kvDtype && kvDtype !== dtype && { kvDtype }),
    ...(pages && {
      pages: {
        size: divisorOf(keyLength, pages.divisor),
        shared: pages.shared,
        unused: pages.unused,
      },
    }),
    ...(queryPositions && { queryPositions, queryOffset: undefined }),
    ...(keyPositions && { keyPositions, queryOffset: undefined }),
    ...(ragged && {
      ragged: {
        queries: atMost(ragged.queries, queryLength),
        ...(!pages && { keys: atMost(ragged.keys, keyLength) }),
      },
      ...(spec.mask && { mask: perHead }),
      ...(spec.bias && { bias: { ...spec.bias, ...perHead } }),
    }),
    returns: { ...spec.returns, ...(!ragged && { weights, scores }) },
    // Scores are wanted of keys that causal and window hide: those may not be poisoned.
    ...(poison && (ragged || !scores) && { poison }),
  };
}

/** A size of pages that are full: all keys, or a smaller one the larger the number. */
function divisorOf(keys: number, at: number): number {
  const divisors = Array.from({ length: keys }, (_, i) => keys - i).filter((n) => keys % n === 0);
  return divisors[Math.min(at, divisors.length - 1)] as number;
}
