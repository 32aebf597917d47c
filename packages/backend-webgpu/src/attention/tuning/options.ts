import type { AttentionInputs } from "@heed/core";
import type { Settings } from "../choice/settings.js";
import type { Outcome } from "./search.js";

/** Options of a measurement. */
export interface TuneOptions {
  /**
   * Milliseconds of measuring, beside those that the rule's choice takes to be compiled and run once. What runs when
   * they are over is run to its end, and nothing else begins. Default 1000.
   */
  readonly budget?: number | undefined;
  /** A call of the problem, where pages, positions or programs are data of it. */
  readonly inputs?: AttentionInputs | undefined;
  /** Choices that are not tried, such as one that broke the device before. */
  readonly without?: readonly Settings[] | undefined;
  /** Is told of each choice before it runs for the first time, so that one that breaks the device is known. */
  readonly onTry?: ((settings: Settings) => void) | undefined;
  /** Is told of everything that was tried. */
  readonly onResult?: ((result: TuneResult) => void) | undefined;
}

/** The candidates that were tried for a problem, and their results. */
export interface TuneResult {
  /** The class of problems that this is remembered for. */
  readonly problems: string;
  /** The choice of the rules. */
  readonly rule: Settings;
  /** The fastest choice: the rule's, unless another one is faster beyond doubt. */
  readonly best: Settings;
  /** Whether it is remembered: not where there was no time to run anything else, or to compare it. */
  readonly known: boolean;
  /**
   * Time of the rule's choice divided by that of the fastest, the median over rounds, or of single runs where there was
   * no time for rounds; 1 for the rule's own.
   */
  readonly gain: number;
  /** Everything that was tried. */
  readonly tried: readonly { readonly settings: Settings; readonly outcome: Outcome }[];
  /** Milliseconds that it took. */
  readonly ms: number;
}

/** Milliseconds of a measurement, unless the caller says. */
export const defaultBudget = 1000;
