import type { BenchReport } from "../../src/report/report.js";

/** The result of a run that a program started: its report, or why there is none. */
export type Outcome = { readonly report: BenchReport } | { readonly problem: string };

/** Global variables through which a program, such as the command line, drives the page. */
interface Driven {
  /** Set when a run is over. */
  heedOutcome?: Outcome;
  /** Set by the program: called with a line about each case that is done. */
  heedProgress?(line: string): void;
}

const driven = globalThis as Driven;

export function announceProgress(line: string): void {
  driven.heedProgress?.(line);
}

export function announceOutcome(outcome: Outcome): void {
  driven.heedOutcome = outcome;
}
