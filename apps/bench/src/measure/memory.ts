/** Watches how much memory a process holds. */
export interface MemoryMeter {
  /**
   * Begins to watch.
   *
   * @returns a function that ends it and gives the bytes by which the process had grown at its peak
   *   since; null where that cannot be told
   */
  start(): () => number | null;
}
