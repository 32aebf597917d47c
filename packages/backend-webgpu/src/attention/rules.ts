import { type AttentionProblem, type BoundAttention, visibleBand } from "@heed/core";
import { unbounded } from "./wgsl/rules.js";

/** Bytes of a call's encoded rules: 16 for each batch and each query head. */
export function rulesBytes({ batch, queryHeads }: AttentionProblem): number {
  return 16 * Math.max(1, batch + queryHeads);
}

/** The positions and per-head values of a call as kernels read them: see `wgsl/rules.ts`. */
export function encodeRules(bound: BoundAttention): Uint8Array {
  const { problem, offsets, kvLengths, alibiSlopes, sinks } = bound;
  const bytes = new Uint8Array(rulesBytes(problem));
  const view = new DataView(bytes.buffer);
  const { left, right } = visibleBand(problem);
  const clamp = (edge: number): number => Math.max(-unbounded, Math.min(unbounded, edge));
  let next = 0;
  const write = (value: number): void => {
    view.setInt32(next, value, true);
    next += 4;
  };
  for (let b = 0; b < problem.batch; b++) {
    const offset = offsets[b] as number;
    write(kvLengths[b] as number);
    write(clamp(offset - left));
    write(clamp(offset + right));
    write(offset);
  }
  for (let h = 0; h < problem.queryHeads; h++) {
    const sink = sinks?.[h] ?? Number.NEGATIVE_INFINITY;
    const exists = sink > Number.NEGATIVE_INFINITY;
    view.setFloat32(next, alibiSlopes?.[h] ?? 0, true);
    view.setFloat32(next + 4, exists ? sink : 0, true);
    next += 8;
    write(exists ? 1 : 0);
    write(0);
  }
  return bytes;
}
