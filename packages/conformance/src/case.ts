import type { AttentionInputs, HostTensor } from "@heed/core";
import type { Arithmetic } from "./arithmetic.js";
import { buildInputs } from "./build/inputs.js";
import type { CaseSpec } from "./spec.js";

/**
 * What a case is about. `core`: what a first backend must get right, float32. `decode`: few queries
 * against a cache. `masks`: every way to hide keys. `numerics`: other dtypes, extreme numbers and
 * sizes. `pairs`: every pair of features together.
 */
export type Profile = "core" | "decode" | "masks" | "numerics" | "pairs";

export const profiles: readonly Profile[] = ["core", "decode", "masks", "numerics", "pairs"];

/** A synthetic case: data, with an id that stays and from which its numbers follow. */
export interface ConformanceCase {
  /** E.g. `"masks/mask-rank2-1xk"`; unique. */
  readonly id: string;
  readonly profile: Profile;
  readonly spec: CaseSpec;
  /**
   * Rows to judge, spread over the call, where it is too large to be judged as a whole; such a case
   * runs once. Default all.
   */
  readonly rows?: number;
}

/**
 * The call that a case makes.
 *
 * @param arithmetic of the device that is to compute it. Default IEEE 754's
 */
export function caseInputs(
  c: Pick<ConformanceCase, "id" | "spec">,
  arithmetic?: Arithmetic,
): AttentionInputs<HostTensor> {
  return buildInputs(c.spec, c.id, arithmetic);
}

/** Cases of one profile. */
export function ofProfile(
  profile: Profile,
  list: readonly Omit<ConformanceCase, "profile">[],
): readonly ConformanceCase[] {
  return list.map((c) => ({ ...c, profile }));
}
