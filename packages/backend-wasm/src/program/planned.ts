import type { AttentionProblem, BoundAttention } from "@heed/core";
import type { WasmPlan } from "../attention/plan.js";
import { runUnits } from "../attention/units.js";
import type { Arena } from "../memory/arena.js";
import * as D from "../shared/attention.js";
import { type CompiledPrograms, compilePrograms } from "./compile.js";
import { placePrograms } from "./place.js";
import { RunCache } from "./run-cache.js";
import { type CallRuns, runsOf } from "./runs.js";
import { bytesOfRuns, writeRuns } from "./write-runs.js";

/** The programs of a call in wasm memory, but for what is written once no memory is allocated any more. */
export interface PlacedPrograms {
  /**
   * @param descriptor word of the call's descriptor
   * @param block byte address of as many bytes as {@link PlannedPrograms.blockBytes} says
   */
  write(words: Int32Array, descriptor: number, block: number): void;
}

/** Mask program, score program and block mask of a plan. This module is loaded with the first of them. */
export class PlannedPrograms {
  readonly #compiled: CompiledPrograms;
  readonly #plan: WasmPlan;
  readonly #runs = new RunCache();

  /** Compiles the programs of a problem that has any. */
  constructor(problem: AttentionProblem, plan: WasmPlan) {
    this.#plan = plan;
    const { grid, tileKeys, fewTileKeys, fewUnits } = plan;
    this.#compiled = compilePrograms(problem, {
      tileKeys: fewUnits ? Math.max(tileKeys, fewTileKeys) : tileKeys,
      // Whole panels, also of the kernel for few rows.
      rows: Math.ceil(grid.rows / D.panelRows) * D.panelRows,
    });
  }

  /** Bytes of a call's memory for the programs themselves. */
  get blockBytes(): number {
    return this.#compiled.words.byteLength;
  }

  /** Bytes of a thread's workspace for registers. */
  get registerBytes(): number {
    return this.#compiled.registerBytes;
  }

  /**
   * The keys that a call's panels look at; null if nothing but a score program is given.
   *
   * @param units of a ragged batch; null without one
   */
  runsOf(bound: BoundAttention, units: Int32Array | null): CallRuns | null {
    if (bound.maskMod === null && bound.blockMask === null) return null;
    const { grid, tileKeys } = this.#plan;
    return this.#runs.take(bound, () =>
      runsOf(bound.problem, bound, grid, tileKeys, runUnits(this.#plan, units)),
    );
  }

  /**
   * Places a call's tables and runs of keys.
   *
   * @param runs as {@link runsOf} gives them
   */
  place(arena: Arena, bound: BoundAttention, runs: CallRuns | null): PlacedPrograms {
    const writeBlock = placePrograms(arena, this.#compiled, bound);
    const runsAt = runs ? arena.allocate(bytesOfRuns(runs)) : 0;
    return {
      write: (words, descriptor, block) => {
        writeBlock(words, block / 4);
        words[descriptor + D.programPointer / 4] = block;
        if (runs === null) return;
        const { unitsAt, startsAt } = writeRuns(words, runsAt, runs);
        words[descriptor + D.runUnitsPointer / 4] = unitsAt;
        words[descriptor + D.runStartsPointer / 4] = startsAt;
      },
    };
  }
}
