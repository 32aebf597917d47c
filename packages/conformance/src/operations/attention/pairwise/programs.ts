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
import { sizeFactors } from "./serving.js";

const { layout: _, ...others } = otherFactors;
const ofOthers = Object.assign(
  {},
  ...[...features, ...servingFeatures].map((feature) => feature.factors),
) as Readonly<Record<string, Factor>>;

/** Factors that are new with programs. */
const own: Readonly<Record<string, Factor>> = {
  maskMod: {
    "no-program": {},
    "p-causal": { maskMod: "causal" },
    "p-documents": { maskMod: "documents" },
    "p-heads": { maskMod: "by-head-and-batch" },
    "p-index": { maskMod: "by-index" },
  },
  scoreMod: {
    "no-score": {},
    "s-capped": { scoreMod: "capped" },
    "s-alibi": { scoreMod: "alibi" },
    "s-table": { scoreMod: "bias-of-distance" },
  },
  blockMask: {
    "no-blocks": {},
    "blocks-8": { blockMask: { queryBlock: 8, keyBlock: 8 } },
    "blocks-data": { blockMask: { queryBlock: 16, keyBlock: 5, data: "full" } },
    "blocks-all": { blockMask: { queryBlock: 128, keyBlock: 128 } },
  },
};

const tried: Readonly<Record<string, Factor>> = { ...sizeFactors, ...others, ...ofOthers, ...own };

/** Every factor of the pairs of the profile `programs`, with its values' names. */
export const programFactors: Factors = Object.fromEntries(
  Object.entries(tried).map(([factor, values]) => [factor, Object.keys(values)]),
);

/** Whether some features can be in one call. */
export function canMeetPrograms(a: Assignment): boolean {
  const has = (factor: string): boolean =>
    (a[factor] ?? programFactors[factor]?.[0]) !== programFactors[factor]?.[0];
  const needsPositions = has("causal") || has("alibi") || has("window");
  const differ = has("lengths") || has("kvLengths") || has("pages") || has("ragged");
  const data = has("queryPositions") || has("keyPositions");
  const scores = ["raw", "capped", "biased", "all"].includes(a.outputs ?? "");
  const sizesDiffer = a.size === "d59v24" || a.size === "d8v40";
  return !(
    (a.sharing === "shared" && sizesDiffer) ||
    (a.hidden === "poisoned" && scores) ||
    (a.dtype === "float64" && has("kvDtype")) ||
    (a.dtype === "float16" && a.kvDtype === "kv-float16") ||
    (has("position") && data) ||
    (a.position === "no-offset" && needsPositions && differ && !data) ||
    (has("ragged") && (scores || a.outputs === "weights" || has("mask") || has("bias"))) ||
    // Its cases change lengths, and with them the offset that a block mask was made at.
    (a.position === "bottom-right" && has("kvLengths") && has("blockMask"))
  );
}

/** The call with these features. */
export function programSpec(assignment: Assignment): CaseSpec {
  const chosen = (factor: string): Part => tried[factor]?.[assignment[factor] as string] as Part;
  const sizes = Object.assign({}, ...Object.keys(sizeFactors).map(chosen)) as Sizes & CaseSpec;
  const parts = Object.keys(tried).map((factor) => {
    const part = chosen(factor);
    return typeof part === "function" ? part(sizes) : part;
  });
  return Object.assign({}, sizes, ...parts);
}

/** Pairs of which one value at least is a program's or a block mask's. */
export function wantedProgramPairs(): string[] {
  const isNew = (part: string): boolean => {
    const [factor = "", value] = part.split("=");
    return factor in own && programFactors[factor]?.[0] !== value;
  };
  return possiblePairs(programFactors, canMeetPrograms).filter((pair) =>
    pair.split(" ").some(isNew),
  );
}

/** Rows in which all of them meet. */
export const programRows: readonly Assignment[] = coverPairs(
  programFactors,
  canMeetPrograms,
  wantedProgramPairs(),
);

/** A row's name. */
export function programName(row: Assignment): string {
  return nameOf(row, programFactors);
}
