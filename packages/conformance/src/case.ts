import type { AttentionInputs, HostTensor } from "@heed/core";
import { buildInputs, type CaseSpec } from "./spec.js";

/**
 * What a case is about. `core`: what a first backend must get right, float32. `decode`: few queries
 * against a cache. `masks`: every way to hide keys. `numerics`: other dtypes, extreme numbers.
 */
export type Profile = "core" | "decode" | "masks" | "numerics";

export const profiles: readonly Profile[] = ["core", "decode", "masks", "numerics"];

/** A synthetic case: data, with an id that stays and from which its numbers follow. */
export interface ConformanceCase {
  /** E.g. `"masks/mask-rank2-1xk"`; unique. */
  readonly id: string;
  readonly profile: Profile;
  readonly spec: CaseSpec;
}

/** The call that a case makes. */
export function caseInputs(c: ConformanceCase): AttentionInputs<HostTensor> {
  return buildInputs(c.spec, c.id);
}

/** Cases of one profile. */
export function ofProfile(
  profile: Profile,
  list: readonly Omit<ConformanceCase, "profile">[],
): readonly ConformanceCase[] {
  return list.map((c) => ({ ...c, profile }));
}
