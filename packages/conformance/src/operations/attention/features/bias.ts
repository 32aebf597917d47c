import fc from "fast-check";
import type { CallFeature, Part, Sizes } from "./feature.js";
import { axes, broadcastShape } from "./mask.js";

const bias =
  (shape: (sizes: Sizes) => readonly number[], more: object = {}): Part =>
  (sizes) => ({ bias: { shape: shape(sizes), ...more } });

interface Drawn {
  readonly axes: readonly boolean[];
  readonly holes: boolean;
}

/** An additive bias of any shape that broadcasts. */
export const biases: CallFeature = {
  field: "bias",
  isArgument: false,
  positional: false,
  rarity: 1,
  factors: {
    bias: {
      unbiased: {},
      "bias-k": bias(({ keyLength }) => [keyLength]),
      "bias-q1": bias(({ queryLength }) => [queryLength, 1]),
      "bias-hqk": bias((s) => [s.queryHeads, s.queryLength, s.keyLength]),
      "bias-b1qk": bias((s) => [s.batch, 1, s.queryLength, s.keyLength], { holes: "-inf" }),
      "bias-bh11-float32": bias((s) => [s.batch, s.queryHeads, 1, 1], { dtype: "float32" }),
      "bias-bhqk": bias((s) => [s.batch, s.queryHeads, s.queryLength, s.keyLength]),
    },
    strides: { "row-major": {}, strided: { stridedMask: true } },
  },
  law: {
    draw: fc.option(fc.record({ axes, holes: fc.boolean() }), { nil: undefined }),
    toSpec: (drawn: Drawn | undefined, sizes) =>
      drawn
        ? {
            bias: {
              shape: broadcastShape(drawn.axes, sizes),
              ...(drawn.holes && { holes: "-inf" as const }),
            },
          }
        : {},
  },
  variations: {
    "a bias of keys": { bias: { shape: [21] } },
    "a bias of heads": { bias: { shape: [4, 9, 21] } },
  },
  everything: { bias: { shape: [4, 37, 71] } },
  valid: { bias: { shape: [2, 4, 5, 7] } },
  wrong: {},
  cases: [],
};
