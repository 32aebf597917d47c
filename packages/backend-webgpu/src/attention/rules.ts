import { type AttentionProblem, type BoundAttention, visibleBand } from "@heed/core";
import type { Choice } from "./choose.js";
import { encodeGathered, type GatheredLayout, gatheredLayout } from "./gathered.js";
import { ProgramData } from "./programs/data.js";
import { programLayout } from "./programs/layout.js";
import { sequenceVectors } from "./wgsl/gathered.js";
import { unbounded } from "./wgsl/rules.js";

/** A call's small data as kernels read it. */
export interface Rules {
  readonly bytes: number;
  encode(bound: BoundAttention): Uint8Array;
  /** The buffer `programs` of a call that has programs; asked for before `encode`. */
  readonly words?: (bound: BoundAttention) => Uint32Array;
}

/** The rules of a problem's calls, for the kernels chosen for it. */
export function rulesOf(problem: AttentionProblem, choice: Choice): Rules {
  const own = ownRules(problem, choice);
  const layout = programLayout(problem, choice, own.bytes / 16);
  if (layout === null) return own;
  const data = new ProgramData(problem, choice, layout);
  return {
    bytes: own.bytes + 16 * layout.vectors,
    words: (bound) => data.words(bound),
    encode(bound) {
      const bytes = new Uint8Array(own.bytes + 16 * layout.vectors);
      bytes.set(own.encode(bound));
      data.writeRules(bound, new DataView(bytes.buffer));
      return bytes;
    },
  };
}

/** Bytes of a call's rules without programs. */
export function ownRulesBytes(problem: AttentionProblem, choice: Choice): number {
  return choice.gathered ? gatheredLayout(problem, choice).bytes : rulesBytes(problem);
}

function ownRules(problem: AttentionProblem, choice: Choice): Rules {
  if (!choice.gathered) return { bytes: rulesBytes(problem), encode: encodeRules };
  const layout = gatheredLayout(problem, choice);
  return { bytes: layout.bytes, encode: (bound) => encodeLists(bound, choice, layout) };
}

/** Bytes of a call's encoded rules: 16 for each batch and each query head. */
function rulesBytes({ batch, queryHeads }: AttentionProblem): number {
  return 16 * Math.max(1, batch + queryHeads);
}

/** Sequences, per-head values, lists and tables: see `wgsl/gathered.ts`. */
function encodeLists(bound: BoundAttention, choice: Choice, layout: GatheredLayout): Uint8Array {
  const { problem } = bound;
  const bytes = new Uint8Array(layout.bytes);
  encodeGathered(bound, choice, layout, new Int32Array(bytes.buffer));
  encodeHeads(bound, new DataView(bytes.buffer), 16 * sequenceVectors * problem.sequences);
  return bytes;
}

/** The positions and per-head values of a call as kernels read them: see `wgsl/rules.ts`. */
function encodeRules(bound: BoundAttention): Uint8Array {
  const { problem, offsets, kvLengths } = bound;
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
  encodeHeads(bound, view, next);
  return bytes;
}

/** Slopes and sinks of the query heads, from a byte on. */
function encodeHeads(
  { problem, alibiSlopes, sinks }: BoundAttention,
  view: DataView,
  first: number,
): void {
  for (let h = 0; h < problem.queryHeads; h++) {
    const at = first + 16 * h;
    const sink = sinks?.[h] ?? Number.NEGATIVE_INFINITY;
    const exists = sink > Number.NEGATIVE_INFINITY;
    view.setFloat32(at, alibiSlopes?.[h] ?? 0, true);
    view.setFloat32(at + 4, exists ? sink : 0, true);
    view.setInt32(at + 8, exists ? 1 : 0, true);
    view.setInt32(at + 12, 0, true);
  }
}
