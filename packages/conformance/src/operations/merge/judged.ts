import { type HostTensor, type MergeOutputs, merge } from "@heed/core";
import type { JudgedOperation } from "../../run/check-call.js";
import { knownMistakes } from "../../run/step-mistakes.js";
import type { MergeCall } from "./build.js";
import { judgeMerge } from "./judge.js";
import { mergeMistakes, mergeWith } from "./mistakes.js";

export type Merged = MergeOutputs<HostTensor>;

/** Merging as the cases see it. */
export const judgedMerge: JudgedOperation<MergeCall, Merged> = {
  operation: merge,
  judge: judgeMerge,
  ...knownMistakes(mergeMistakes, mergeWith),
};
