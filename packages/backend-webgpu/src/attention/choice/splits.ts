import type { Capabilities } from "../../capabilities.js";

/**
 * Workgroups that keep a device busy. Nothing in WebGPU tells how many it runs at once: a large GPU has
 * some 150 multiprocessors, an imitated one as many as the machine has cores.
 */
const busyWorkgroups = (software: boolean): number => (software ? 4 : 256);

/** Fewer keys than this are not worth a workgroup and its part of the merge, by the rule. */
const fewestSplitKeys = 128;

/** Bytes that parts of the keys may take before they are merged. */
export const mostPartsBytes: number = 2 ** 25;

/** @param patience how many times as many workgroups as keep the device busy are wanted */
export function splitsFor(
  workgroups: number,
  keyLength: number,
  { software }: Capabilities,
  patience = 1,
): number {
  if (workgroups === 0) return 1;
  const wanted = Math.ceil((patience * busyWorkgroups(software)) / workgroups);
  return Math.max(1, Math.min(wanted, Math.floor(keyLength / fewestSplitKeys)));
}
