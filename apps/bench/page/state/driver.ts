import type { BenchReport } from "../../src/report/report.js";

/** How a run that a program started has ended. */
export type Outcome = { readonly report: BenchReport } | { readonly problem: string };

/** What a program that drives the page, such as the command line, sees of it. */
interface Driven {
  /** Set when a run is over. */
  heedOutcome?: Outcome;
  /** Put there by the program: is told of each case that is done. */
  heedProgress?(line: string): void;
}

const driven = globalThis as Driven;

export function announceProgress(line: string): void {
  driven.heedProgress?.(line);
}

export function announceOutcome(outcome: Outcome): void {
  driven.heedOutcome = outcome;
}
