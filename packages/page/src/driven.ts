/** Global variables through which a program, such as the benchmark's command, drives a page. */
interface Driven<T> {
  /** Set when a run is over: its result, or why there is none. */
  heedOutcome?: { readonly result: T } | { readonly problem: string };
  /** Lines about what has been done, until the program takes them. */
  heedProgress?: string[];
}

/** Leaves a line for the program that drives this page, if one does. */
export function announceProgress(line: string): void {
  (globalThis as Driven<unknown>).heedProgress?.push(line);
}

/** Tells the program that drives this page that the run is over. */
export function announceOutcome<T>(
  outcome: { readonly result: T } | { readonly problem: string },
): void {
  (globalThis as Driven<T>).heedOutcome = outcome;
}
