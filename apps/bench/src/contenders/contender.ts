import type { BackendInfo, Problem, Support } from "@heed/core";
import type { Outputs } from "../measure/judge.js";

/**
 * Whatever computes attention, or another operation, and can be measured: a Heed backend, or something else (a peer).
 * Making one is cheap; nothing is loaded before `load`.
 */
export interface Contender {
  /** Stable; names it on the command line and in result files. */
  readonly name: string;
  readonly kind: "backend" | "peer";
  /** @throws BackendUnavailableError (rejects) with the reason, where it cannot work here */
  load(): Promise<LoadedContender>;
}

export interface LoadedContender {
  /** The name that a backend gives itself, which recommendations use; left out for peers. */
  readonly backend?: string | undefined;
  readonly info: BackendInfo;
  supports(problem: Problem): Support;
  /**
   * Everything that a problem costs once: kernels chosen and compiled, sessions created. What is
   * needed of the inputs' values (lengths, offsets) may be built into it.
   *
   * @throws UnsupportedError (rejects) for what shows only now that it cannot do
   */
  plan(problem: Problem, inputs: unknown): Promise<ContenderPlan>;
  dispose(): void | Promise<void>;
}

export interface ContenderPlan {
  /** Which kernel runs. */
  readonly kernel: string;
  /** Bytes that a call needs beside inputs and outputs; null where the contender does not say. */
  readonly workspaceBytes: number | null;
  /** Bytes of keys and values that it holds between calls; left out where it holds none. */
  readonly cacheBytes?: number | undefined;
  /** Puts the inputs where calls want them: into the contender's memory if it can keep them. */
  place(inputs: unknown): Promise<PlacedCall>;
  dispose(): void;
}

/** Memory that holds a call's inputs before its clock starts: the contender's own, or JavaScript's. */
export type InputPlacement = "resident" | "host";

/** A call that is ready to go, any number of times. */
export interface PlacedCall {
  readonly inputs: InputPlacement;
  /**
   * Computes once. It is done when the outputs can be read by JavaScript: a queue that has merely
   * accepted the work is not an answer.
   *
   * @returns the operation's outputs, e.g. `output` of attention, `[batch, queryHeads, queryLength,
   *   valueDim]`; views where that costs nothing
   */
  run(): Promise<Outputs>;
  /** Duration of the latest call by the device's own timestamps, in ms; null where there are none. */
  readonly deviceMs?: (() => Promise<number | null>) | undefined;
  /**
   * How much of the calls since it was last asked was the copying of outputs into new arrays, in ms;
   * left out where the output is made there in the first place, or where waiting for the device to be
   * done is part of reading.
   */
  readonly readMs?: (() => number) | undefined;
  /** The same call as an application makes it; left out for peers, which have no such way. */
  readonly attention?: AttentionCalls | undefined;
  dispose(): void;
}

/**
 * Ways to make a call through `attention.run` of core, or `attention.apply` for another operation; each is
 * done when JavaScript can read the outputs.
 */
export interface AttentionCalls {
  /** With inputs in JavaScript's memory. */
  readonly host: () => Promise<Outputs>;
  /** With inputs uploaded beforehand, and the outputs read back; left out where there is no memory. */
  readonly resident?: (() => Promise<Outputs>) | undefined;
}
