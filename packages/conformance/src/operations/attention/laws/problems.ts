import fc from "fast-check";
import type { CaseSpec } from "../spec.js";

/** What a law's problems may have beside their sizes. */
export type LawFeature =
  | "causal"
  | "window"
  | "alibi"
  | "kvLengths"
  | "mask"
  | "bias"
  | "sinks"
  | "softcap"
  | "scale";

export const everyFeature: readonly LawFeature[] = [
  "causal",
  "window",
  "alibi",
  "kvLengths",
  "mask",
  "bias",
  "sinks",
  "softcap",
  "scale",
];

/** Few sizes, so that a backend that compiles for each does not spend its time on that. */
const sizes = [
  [8, 8],
  [16, 16],
  [15, 15],
  [64, 24],
] as const;

const heads = [
  [1, 1],
  [2, 2],
  [4, 2],
  [3, 1],
] as const;

/** For each of the four axes, whether the broadcast input has it in full. */
const axes = fc.tuple(fc.boolean(), fc.boolean(), fc.boolean(), fc.boolean());

const shape = fc.record({
  batch: fc.integer({ min: 1, max: 3 }),
  heads: fc.constantFrom(...heads),
  queryLength: fc.integer({ min: 1, max: 40 }),
  keyLength: fc.integer({ min: 1, max: 75 }),
  size: fc.constantFrom(...sizes),
  dtype: fc.constantFrom("float32" as const, "float32" as const, "float16" as const),
});

const side = fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined });

/** What each feature adds to a spec of given sizes. */
const generators = {
  causal: fc.boolean(),
  window: fc.option(fc.record({ left: side, right: side }), { nil: undefined }),
  alibi: fc.boolean(),
  kvLengths: fc.option(fc.tuple(fc.nat(75), fc.nat(75), fc.nat(75)), { nil: undefined }),
  mask: fc.option(axes, { nil: undefined }),
  bias: fc.option(fc.record({ axes, holes: fc.boolean() }), { nil: undefined }),
  sinks: fc.boolean(),
  softcap: fc.option(fc.constantFrom(1.5, 5), { nil: undefined }),
  scale: fc.option(fc.constantFrom(0.3, -0.5), { nil: undefined }),
} as const;

const offset = fc.oneof(
  fc.integer({ min: -10, max: 60 }),
  fc.constant("bottom-right" as const),
  fc.tuple(
    fc.integer({ min: -10, max: 60 }),
    fc.integer({ min: -10, max: 60 }),
    fc.integer({ min: -10, max: 60 }),
  ),
);

/**
 * Random calls as specs, which shrink towards one row of one head without features.
 *
 * @param features what they may have; those in `always` they do have
 */
export function problems(
  features: readonly LawFeature[],
  always: Partial<CaseSpec> = {},
): fc.Arbitrary<CaseSpec> {
  const has = <K extends LawFeature>(name: K): (typeof generators)[K] | fc.Arbitrary<undefined> =>
    features.includes(name) ? generators[name] : fc.constant(undefined);
  return fc
    .record({
      shape,
      offset,
      causal: has("causal"),
      window: has("window"),
      alibi: has("alibi"),
      kvLengths: has("kvLengths"),
      mask: has("mask"),
      bias: has("bias"),
      sinks: has("sinks"),
      softcap: has("softcap"),
      scale: has("scale"),
    })
    .map(({ shape: s, ...drawn }): CaseSpec => {
      const [queryHeads, kvHeads] = s.heads;
      const [headDim, valueDim] = s.size;
      const full = [s.batch, queryHeads, s.queryLength, s.keyLength];
      const broadcast = (kept: readonly boolean[]): number[] =>
        full.map((size, axis) => (kept[axis] ? size : 1));
      const { causal, window, alibi, kvLengths, mask, bias, sinks, softcap, scale } = drawn;
      return {
        batch: s.batch,
        queryHeads,
        kvHeads,
        queryLength: s.queryLength,
        keyLength: s.keyLength,
        headDim,
        valueDim,
        ...(s.dtype !== "float32" && { dtype: s.dtype }),
        queryOffset:
          typeof drawn.offset === "object" ? drawn.offset.slice(0, s.batch) : drawn.offset,
        ...(causal && { causal }),
        ...(window && { window }),
        ...(alibi && { alibi }),
        ...(kvLengths && {
          kvLengths: kvLengths.slice(0, s.batch).map((length) => Math.min(length, s.keyLength)),
        }),
        ...(mask && { mask: { shape: broadcast(mask) } }),
        ...(bias && {
          bias: { shape: broadcast(bias.axes), ...(bias.holes && { holes: "-inf" as const }) },
        }),
        ...(sinks && { sinks: true as const }),
        ...(softcap !== undefined && { softcap }),
        ...(scale !== undefined && { scale }),
        ...always,
        returns: { logSumExp: true, ...always.returns },
      };
    });
}
