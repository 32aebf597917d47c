import {
  type Assignment,
  coverPairs,
  type Factors,
  nameOf,
  possiblePairs,
} from "../../../calls/cover.js";
import type { Factor, Part, Sizes } from "../features/feature.js";
import { features } from "../features/index.js";
import { servingFeatures } from "../features/serving/index.js";
import type { CaseSpec } from "../spec.js";
import { otherFactors } from "./features.js";

/** Lengths that pages of 4 divide. */
export const sizeFactors = {
  batch: { b1: { batch: 1 }, b3: { batch: 3 } },
  heads: {
    mha: { queryHeads: 2, kvHeads: 2 },
    gqa: { queryHeads: 4, kvHeads: 2 },
    mqa: { queryHeads: 3, kvHeads: 1 },
  },
  lengths: {
    square: { queryLength: 36, keyLength: 36 },
    decode: { queryLength: 1, keyLength: 40 },
    cross: { queryLength: 9, keyLength: 72 },
    tall: { queryLength: 33, keyLength: 4 },
  },
  size: {
    d16: { headDim: 16, valueDim: 16 },
    d64: { headDim: 64, valueDim: 64 },
    d59v24: { headDim: 59, valueDim: 24 },
    d8v40: { headDim: 8, valueDim: 40 },
  },
} as const;

const { layout, ...others } = otherFactors;
const old = Object.assign({}, ...features.map((feature) => feature.factors)) as Readonly<
  Record<string, Factor>
>;
const own = Object.assign({}, ...servingFeatures.map((feature) => feature.factors)) as Readonly<
  Record<string, Factor>
>;

const tried: Readonly<Record<string, Factor>> = {
  ...sizeFactors,
  ...others,
  // Slices of one tensor of query, key and value hold no cache.
  layout: Object.fromEntries(Object.entries(layout ?? {}).filter(([name]) => name !== "packed")),
  ...old,
  mask: { ...old.mask, "mask-h11": ({ queryHeads }) => ({ mask: { shape: [queryHeads, 1, 1] } }) },
  bias: { ...old.bias, "bias-h11": ({ queryHeads }) => ({ bias: { shape: [queryHeads, 1, 1] } }) },
  ...own,
};

/** Every factor of the pairs of the profile `serving`, with its values' names. */
export const servingFactors: Factors = Object.fromEntries(
  Object.entries(tried).map(([factor, values]) => [factor, Object.keys(values)]),
);

/** The factors that are new with this profile. */
export const ownFactors: readonly string[] = Object.keys(own);

/** Whether some features can be in one call. */
export function canMeet(a: Assignment): boolean {
  const has = (factor: string): boolean =>
    (a[factor] ?? servingFactors[factor]?.[0]) !== servingFactors[factor]?.[0];
  const needsPositions = has("causal") || has("alibi") || has("window");
  const differ = has("lengths") || has("kvLengths") || has("pages") || has("ragged");
  const data = has("queryPositions") || has("keyPositions");
  const scores = ["raw", "capped", "biased", "all"].includes(a.outputs ?? "");
  const sizesDiffer = a.size === "d59v24" || a.size === "d8v40";
  const perHead = (factor: string): boolean => !has(factor) || a[factor] === `${factor}-h11`;
  return !(
    (a.sharing === "shared" && sizesDiffer) ||
    (a.hidden === "poisoned" && scores) ||
    (a.dtype === "float64" && has("kvDtype")) ||
    // A float16 query has float16 keys anyway.
    (a.dtype === "float16" && a.kvDtype === "kv-float16") ||
    (has("position") && data) ||
    (a.position === "no-offset" && needsPositions && differ && knownNotData(a)) ||
    (has("ragged") && (scores || a.outputs === "weights")) ||
    (has("ragged") && !(perHead("mask") && perHead("bias")))
  );
}

/** Whether a row says that no positions are data; as long as it may still say so, it is allowed. */
function knownNotData(a: Assignment): boolean {
  return a.queryPositions === "p-index" && a.keyPositions === "k-index";
}

/** The call with these features. */
export function servingSpec(assignment: Assignment): CaseSpec {
  const chosen = (factor: string): Part => tried[factor]?.[assignment[factor] as string] as Part;
  const sizes = Object.assign({}, ...Object.keys(sizeFactors).map(chosen)) as Sizes & CaseSpec;
  const parts = Object.keys(tried).map((factor) => {
    const part = chosen(factor);
    return typeof part === "function" ? part(sizes) : part;
  });
  return Object.assign({}, sizes, ...parts);
}

/** Pairs of which one value at least is new and not the plainest. */
export function wantedPairs(allowed: (a: Assignment) => boolean): string[] {
  const isNew = (part: string): boolean => {
    const [factor = "", value] = part.split("=");
    return ownFactors.includes(factor) && servingFactors[factor]?.[0] !== value;
  };
  return possiblePairs(servingFactors, allowed).filter((pair) => pair.split(" ").some(isNew));
}

/** Rows in which all of them meet: in float32, and each other dtype with each feature. */
export const servingRows: readonly Assignment[] = makeRows();

function makeRows(): Assignment[] {
  const inFloat32 = (a: Assignment): boolean => canMeet(a) && (a.dtype ?? "float32") === "float32";
  const ofDTypes = wantedPairs(canMeet).filter((pair) => /dtype=float(16|64)/.test(pair));
  return [
    ...coverPairs(servingFactors, inFloat32, wantedPairs(inFloat32)),
    ...["float16", "float64"].flatMap((dtype) =>
      coverPairs(
        servingFactors,
        canMeet,
        ofDTypes.filter((pair) => pair.includes(`dtype=${dtype}`)),
      ),
    ),
  ];
}

/** A row's name. */
export function servingName(row: Assignment): string {
  return nameOf(row, servingFactors);
}
