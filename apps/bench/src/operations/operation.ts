import type { AnyOperation, Attention, Backend, HostTensor, Problem, Tensor } from "@heed/core";
import type { PlacedCall } from "../contenders/contender.js";
import type { Judge } from "../measure/judge.js";

/** Sizes of a case by name, e.g. `queryHeads`, as reports show them. */
export type CaseSizes = Readonly<Record<string, number>>;

/** Tiles into which the scores of a call are cut. */
export interface CaseTiles {
  /** Queries of a tile. */
  readonly queries: number;
  /** Keys of a tile. */
  readonly keys: number;
  /** Share of the tiles in which no query sees any key, 0 to 1: a kernel need not visit them. */
  readonly skipped: number;
}

/** The parts of an operation of core that are needed to measure it. */
export type MeasuredDefinition = Pick<
  AnyOperation,
  "name" | "describe" | "bind" | "operands" | "work"
>;

/**
 * Everything that differs between operations when they are measured. `Inputs` are a call's inputs in
 * JavaScript's memory, `P` is its problem. It has either `replaceTensors` or a `procedure`.
 */
export interface MeasuredOperation<Inputs = unknown, P extends Problem = Problem> {
  /** Core's definition of an operation, or that of a procedure: it validates calls and counts their work. */
  readonly definition: MeasuredDefinition;
  /** A judge of a call's outputs, by the budgets of the conformance suite. */
  prepareJudge(inputs: Inputs): Judge;
  sizesOf(problem: P): CaseSizes;
  /** The call with each tensor that a backend can hold replaced, one after another. */
  replaceTensors?(inputs: Inputs, replace: (t: HostTensor) => Promise<Tensor>): Promise<unknown>;
  /** How an application does it, where that takes several calls. */
  readonly procedure?: Procedure<Inputs, P>;
  /** Tokens that a call computes, where a model asks for them one after another. */
  tokensOf?(problem: P): number;
  /** Bytes that a contender holds at least while it is measured; asked where they may not fit. */
  bytesOf?(problem: P): number;
}

/** Several calls that are measured as one. */
export interface Procedure<Inputs = unknown, P extends Problem = Problem> {
  /**
   * Makes what every step needs: plans, memory.
   *
   * @throws UnsupportedError (rejects) where the backend refuses a part of it
   */
  prepare(place: ProcedurePlace, problem: P, inputs: Inputs): Promise<PreparedProcedure>;
}

/** Things that a procedure runs on. */
export interface ProcedurePlace {
  /** It has the backend alone. */
  readonly attention: Attention;
  readonly backend: Backend;
}

export interface PreparedProcedure {
  /** The kernel that does most of the work. */
  readonly kernel: string;
  /** Null where nobody counts them. */
  readonly workspaceBytes: number | null;
  /** Bytes of keys and values that are held between calls; left out where nothing is. */
  readonly cacheBytes?: number;
  /** Brings the inputs to where the steps want them. */
  place(): Promise<PlacedCall>;
  dispose(): void;
}
