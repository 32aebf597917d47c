import {
  type AttentionInputs,
  bindPositions,
  describeProblem,
  type HostTensor,
  Sequence,
  tensor,
} from "@heed/core";
import {
  area,
  bigBird,
  bigBirdRandomBlocks,
  causal,
  dilated,
  document,
  longformer,
  neighbourhood,
  prefixLM,
  slidingWindow,
  swin,
  swinBias,
  tree,
} from "@heed/core/masks";
import {
  abs,
  add,
  and,
  astype,
  type BlockMaskOptions,
  createBlockMask,
  divide,
  equal,
  exp,
  floor,
  floorDivide,
  greater,
  greaterEqual,
  less,
  lessEqual,
  log,
  type MaskProgram,
  maskMod,
  maximum,
  minimum,
  multiply,
  type NumberExpression,
  negative,
  not,
  notEqual,
  or,
  remainder,
  type ScoreProgram,
  scalar,
  scoreMod,
  sqrt,
  subtract,
  table,
  tanh,
  where,
} from "@heed/core/program";
import type { Random } from "../../../calls/random.js";

/** A block mask of a call. */
export interface BlockMaskSpec {
  readonly queryBlock: number;
  readonly keyBlock: number;
  /**
   * Some of the blocks, given as data, of which axes are 1 where it says "1"; default: made by the mask
   * program, if there is one.
   */
  readonly data?: "full" | "1hqk" | "b1qk" | "11qk";
  /** Share of the blocks that data leaves; default 0.6. */
  readonly share?: number;
}

/** Sizes of the call that a program is for; lengths are those of a sequence. */
export interface ProgramSizes {
  readonly batch: number;
  readonly heads: number;
  readonly queryLength: number;
  readonly keyLength: number;
}

const int32 = (values: ArrayLike<number>, shape: readonly number[]) =>
  tensor(Int32Array.from(values), shape);

/** Documents of 1 to 9 tokens, for positions 0 to `length` − 1. */
function documentsOf(random: Random, batch: number, length: number): HostTensor<"int32"> {
  const ids = new Int32Array(batch * length);
  for (let b = 0; b < batch; b++) {
    for (let at = 0, id = 0; at < length; id++) {
      const end = Math.min(length, at + 1 + Math.floor(9 * random.uniform()));
      ids.fill(id, b * length + at, b * length + end);
      at = end;
    }
  }
  return int32(ids, [batch, length]);
}

/** Floats around 0 and around the ends of int32, between its numbers and beyond them. */
const nearEnds = [
  ...[0, 0.5, 1.5, 2.75, 2 ** 30, 2 ** 31 - 128, 2 ** 31, 2 ** 31 + 256, 3e9, 1e20, Infinity],
  ...[-0.5, -1.5, -2.75, 128 - 2 ** 31, -(2 ** 31), -(2 ** 31) - 256, -3e9, -1e20, -Infinity, NaN],
];
/** Integers that tell wrong conversions of these from right ones. */
const aroundEnds = [
  ...[-(2 ** 31), 1 - 2 ** 31, 127 - 2 ** 31, 128 - 2 ** 31, -3, -2, -1, 0, 1, 2, 3],
  ...[2 ** 30 - 1, 2 ** 30, 2 ** 31 - 129, 2 ** 31 - 128, 2 ** 31 - 127, 2 ** 31 - 2, 2 ** 31 - 1],
];

/** An int32 of each key, which was a float, and an int32 of each query to compare it with. */
function converted(
  query: NumberExpression,
  key: NumberExpression,
): { readonly ofKey: NumberExpression; readonly ofQuery: NumberExpression } {
  const floats = table(tensor(Float32Array.from(nearEnds), [nearEnds.length]));
  const limits = table(int32(aroundEnds, [aroundEnds.length]));
  return { ofKey: astype(floats.at(key), "int32"), ofQuery: limits.at(query) };
}

const longest = ({ queryLength, keyLength }: ProgramSizes) => Math.max(1, queryLength, keyLength);

/** Mask programs of the cases, by name. */
export const maskPrograms: Readonly<
  Record<string, (sizes: ProgramSizes, random: Random) => MaskProgram>
> = {
  causal: () => causal(),
  window: () => slidingWindow({ left: 5, right: 2 }),
  prefix: ({ batch }, random) =>
    prefixLM(
      int32(
        Array.from({ length: batch }, () => 7 * random.uniform()),
        [batch],
      ),
    ),
  documents: (sizes, random) =>
    maskMod(and(causal(), document(documentsOf(random, sizes.batch, longest(sizes))))),
  dilated: () => dilated({ dilation: 3, left: 4 }),
  bigBird: (sizes) => {
    const of = { length: longest(sizes), block: 8 };
    const random = bigBirdRandomBlocks({ ...of, heads: sizes.heads, count: 2, seed: 5 });
    return bigBird({ ...of, random });
  },
  longformer: (sizes, random) => {
    const length = longest(sizes);
    const global = Array.from({ length: sizes.batch * length }, () => random.uniform() < 0.1);
    return longformer({ window: 3, global: tensor(global, [sizes.batch, length]) });
  },
  neighbourhood: () => neighbourhood({ height: 6, width: 6, kernel: 3 }),
  swin: () => swin({ height: 6, width: 6, window: 3, shift: 1 }),
  area: () => area({ length: 36, areas: 4 }),
  tree: ({ queryLength, keyLength }) =>
    tree({
      parents: Int32Array.from({ length: queryLength }, (_, i) => (i < 2 ? -1 : (i * 5) % i)),
      prefix: keyLength - queryLength,
    }),
  // Head and batch tell rows apart that have the same position.
  "by-head-and-batch": () =>
    maskMod(({ batch, head, query, key }) =>
      less(remainder(add(query, multiply(key, add(head, 2))), 7), add(batch, 3)),
    ),
  // Whole tiles of keys that one head of a group sees, and another does not.
  "halves-of-heads": ({ keyLength }) =>
    maskMod(({ head, key }) =>
      equal(
        equal(remainder(floorDivide(add(head, 1), 2), 2), 0),
        less(key, Math.ceil(keyLength / 2)),
      ),
    ),
  "by-index": () =>
    maskMod(({ queryIndex, keyIndex }) => lessEqual(abs(subtract(queryIndex, keyIndex)), 6)),
  "by-scalar": () => {
    const width = scalar(4);
    return maskMod(({ query, key }) => less(abs(subtract(query, key)), width));
  },
  everything: () => maskMod(({ queryIndex }) => lessEqual(0, queryIndex)),
  nothing: () => maskMod(({ keyIndex }) => less(keyIndex, 0)),
  "empty-rows": () => maskMod(({ queryIndex }) => notEqual(remainder(queryIndex, 3), 1)),
  // Every rule that is not the same everywhere by itself, with values that tell right from wrong.
  "division-by-0": () =>
    maskMod(({ query, key }) =>
      or(
        less(floorDivide(subtract(query, 3), remainder(key, 3)), 1),
        equal(remainder(key, subtract(query, 2)), 1),
      ),
    ),
  "negative-remainders": () =>
    maskMod(({ query, key }) => {
      const distance = subtract(query, key);
      return or(
        equal(remainder(distance, 5), 2),
        equal(remainder(distance, -4), -1),
        equal(floorDivide(distance, 3), -2),
      );
    }),
  overflow: () =>
    maskMod(({ query, key }) =>
      less(multiply(add(query, 1_000_000_007), add(key, 3)), 2_000_000_000 - 1_500_000_000),
    ),
  "indices-outside": ({ heads }, random) => {
    const flags = table(random.mask([heads, 5], 0.5) as HostTensor<"bool">);
    const limits = table(int32([3, 1, 4, 1, 5, 9], [6]));
    return maskMod(({ head, query, key }) =>
      or(flags.at(head, subtract(key, 3)), less(key, limits.at(multiply(query, 3)))),
    );
  },
  "float-to-int": () =>
    maskMod(({ query, key }) => {
      const half = multiply(astype(subtract(query, key), "float32"), 0.5);
      const large = multiply(half, 1e10);
      return or(
        equal(remainder(astype(half, "int32"), 2), 0),
        equal(astype(large, "int32"), 2147483647),
      );
    }),
  "ends-of-int32": () =>
    maskMod(({ query, key }) => {
      const { ofKey, ofQuery } = converted(query, key);
      return lessEqual(ofKey, ofQuery);
    }),
  "int32-arithmetic": () =>
    maskMod(({ query, key }) => {
      const distance = subtract(query, key);
      const least = -(2 ** 31);
      const low = add(remainder(query, 2), least);
      return or(
        and(
          greater(minimum(distance, 4), maximum(negative(query), -12)),
          greaterEqual(abs(add(distance, 3)), 2),
        ),
        and(
          equal(floorDivide(low, subtract(remainder(key, 3), 2)), least),
          less(negative(abs(low)), remainder(low, subtract(remainder(key, 3), 2))),
        ),
      );
    }),
  // Floats that differ from key to key on both sides.
  "float-comparisons": () =>
    maskMod(({ query, key }) => {
      const half = multiply(astype(subtract(query, key), "float32"), 0.5);
      const part = divide(astype(remainder(key, 5), "float32"), 2);
      return or(
        and(notEqual(half, part), lessEqual(minimum(half, part), maximum(part, -3))),
        equal(floor(half), subtract(part, 4)),
      );
    }),
  // Divisors of either sign, 0 and −1 among them, as constants and as values.
  remainders: () =>
    maskMod(({ query, key }) => {
      const divisor = subtract(remainder(key, 6), 2);
      return or(
        notEqual(remainder(query, divisor), 0),
        less(floorDivide(subtract(query, 9), divisor), -6),
      );
    }),
  "negative-divisors": () =>
    maskMod(({ query, key }) => {
      const distance = subtract(query, key);
      return or(
        less(remainder(distance, -4), -2),
        and(
          less(remainder(query, subtract(remainder(key, 3), 4)), -1),
          less(floorDivide(distance, -1), 9),
        ),
      );
    }),
  // 1 − (1 / x) · x is not 1 − x / x.
  "remainders-of-1": () =>
    maskMod(({ query, key }) =>
      or(equal(remainder(1, subtract(key, 3)), 1), equal(floorDivide(1, add(query, -4)), -1)),
    ),
  "not-or-where": () =>
    maskMod(({ query, key }) =>
      where(equal(remainder(query, 2), 0), not(less(key, 3)), or(less(key, 9), equal(key, query))),
    ),
};

/** Score programs of the cases, by name. */
export const scorePrograms: Readonly<
  Record<string, (sizes: ProgramSizes, random: Random) => ScoreProgram>
> = {
  capped: () => scoreMod(({ score }) => multiply(tanh(divide(score, 3)), 3)),
  alibi: ({ heads }) => {
    const slopes = table(
      tensor(
        Float32Array.from({ length: heads }, (_, h) => 2 ** -(h + 1)),
        [heads],
      ),
    );
    return scoreMod(({ score, head, query, key }) =>
      subtract(score, multiply(slopes.at(head), abs(subtract(query, key)))),
    );
  },
  "bias-of-distance": ({ heads }, random) => {
    const bias = table(random.tensor([heads, 9], "float32") as HostTensor<"float32">);
    return scoreMod(({ score, head, query, key }) =>
      add(score, bias.at(head, add(subtract(query, key), 4))),
    );
  },
  // Some indices are outside.
  "tables-of-many-axes": ({ heads }, random) => {
    const three = table(random.tensor([heads, 3, 4], "float32") as HostTensor<"float32">);
    const four = table(random.tensor([2, heads, 5, 3], "float32") as HostTensor<"float32">);
    return scoreMod(({ score, batch, head, query, key }) =>
      add(
        add(score, three.at(head, remainder(query, 4), subtract(key, 5))),
        four.at(batch, head, remainder(key, 5), subtract(query, key)),
      ),
    );
  },
  swinBias: ({ heads }, random) =>
    swinBias(random.tensor([25, heads], "float32"), { height: 6, width: 6, window: 3, shift: 1 }),
  hides: () =>
    scoreMod(({ score, query, key }) =>
      where(lessEqual(key, query), score, Number.NEGATIVE_INFINITY),
    ),
  temperature: () => {
    const temperature = scalar(0.75);
    return scoreMod(({ score }) => multiply(score, temperature));
  },
  "by-batch": () =>
    scoreMod(({ score, batch, keyIndex }) =>
      add(score, divide(remainder(add(keyIndex, batch), 3), 2)),
    ),
  clamped: () => scoreMod(({ score }) => minimum(maximum(score, -1.5), 1.25)),
  "division-by-0": () => scoreMod(({ score, key }) => add(score, divide(1, remainder(key, 4)))),
  functions: () =>
    scoreMod(({ score, query, key }) =>
      add(score, floor(sqrt(astype(add(abs(subtract(query, key)), 1), "float32")))),
    ),
  "ends-of-int32": () =>
    scoreMod(({ score, query, key }) => {
      const { ofKey, ofQuery } = converted(query, key);
      return add(add(score, divide(ofKey, 2 ** 30)), where(less(ofKey, ofQuery), 0.5, 0));
    }),
  exponentials: () =>
    scoreMod(({ score, query, key }) =>
      add(score, log(add(exp(divide(subtract(query, key), 4)), 0.5))),
    ),
  "log-of-0": () => scoreMod(({ score, key }) => add(score, log(remainder(key, 3)))),
  "float-arithmetic": () =>
    scoreMod(({ score, query, key }) => {
      const half = multiply(astype(subtract(query, key), "float32"), 0.5);
      const divisor = astype(subtract(key, 9), "float32");
      const part = add(remainder(half, 1.5), remainder(negative(half), divisor));
      const chosen = where(
        greater(half, divisor),
        negative(abs(half)),
        where(greaterEqual(half, 2.5), floorDivide(half, divisor), maximum(half, -7)),
      );
      return add(score, multiply(add(part, chosen), 0.25));
    }),
};

/** A block mask of a call. One of a program is made at the call's offsets or positions. */
export function buildBlockMask(
  { queryBlock, keyBlock, data, share = 0.6 }: BlockMaskSpec,
  inputs: AttentionInputs<HostTensor>,
  { batch, heads, queryLength, keyLength }: ProgramSizes,
  random: Random,
): AttentionInputs["blockMask"] {
  const { maskMod } = inputs;
  if (maskMod && !data) {
    const sizes = { batch, heads, queryLength, keyLength, queryBlock, keyBlock };
    return createBlockMask(maskMod, { ...sizes, ...placesOf(inputs, queryLength, keyLength) });
  }
  const shape = [
    batch,
    heads,
    Math.ceil(queryLength / queryBlock),
    Math.ceil(keyLength / keyBlock),
  ];
  const sizes = data ? shape.map((size, axis) => (data[axis] === "1" ? 1 : size)) : shape;
  return { mask: random.mask(sizes, share), queryBlock, keyBlock };
}

type Places = Pick<BlockMaskOptions, "queryOffset" | "queryPositions" | "keyPositions">;

/** Positions of the queries and keys of a call's sequences, of which none has more than these lengths. */
function placesOf(
  inputs: AttentionInputs<HostTensor>,
  queryLength: number,
  keyLength: number,
): Places {
  const { queryPositions, keyPositions, queryStarts } = inputs;
  const isData = queryPositions !== undefined || keyPositions !== undefined;
  if (isData && queryStarts === undefined) return { queryPositions, keyPositions };
  const problem = describeProblem(inputs);
  const bound = bindPositions(problem, inputs);
  if (!isData) {
    const [first, ...others] = bound.offsets;
    return { queryOffset: others.every((offset) => offset === first) ? first : bound.offsets };
  }
  const sequences = Array.from(
    { length: problem.sequences },
    (_, s) => new Sequence(problem, bound, s),
  );
  const table = (name: "queryPositions" | "keyPositions", length: number) => {
    const values = new Int32Array(sequences.length * length);
    for (const [s, sequence] of sequences.entries()) values.set(sequence[name] ?? [], s * length);
    return int32(values, [sequences.length, length]);
  };
  return {
    ...(queryPositions && { queryPositions: table("queryPositions", queryLength) }),
    ...(keyPositions && { keyPositions: table("keyPositions", keyLength) }),
  };
}
