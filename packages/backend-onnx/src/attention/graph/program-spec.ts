import type { AttentionProblem } from "@heed/core";
import type { ProgramForm } from "@heed/core/program";
import type { BroadcastAxes } from "./axes.js";

/** The programs of a graph, and the axes that its block mask has. */
export class ProgramSpec {
  readonly mask: ProgramForm<"mask"> | null;
  readonly score: ProgramForm<"score"> | null;
  /** Whether a block mask has a batch and heads, and that it has queries and keys; null without one. */
  readonly blocks: BroadcastAxes | null;

  constructor({ maskMod, scoreMod, blockMask }: AttentionProblem) {
    this.mask = maskMod;
    this.score = scoreMod;
    this.blocks = blockMask && [blockMask.shape[0] !== 1, blockMask.shape[1] !== 1, true, true];
  }

  /** A graph's key has the forms' keys. */
  toJSON(): unknown {
    return [this.mask?.key, this.score?.key, this.blocks];
  }
}

/** The programs of a problem; null if it has none. */
export function programSpec(problem: AttentionProblem): ProgramSpec | null {
  const { maskMod, scoreMod, blockMask } = problem;
  return maskMod || scoreMod || blockMask ? new ProgramSpec(problem) : null;
}
