/** Different warnings that are printed; beyond that, backends refuse for reasons without end. */
const mostWarnings = 256;

/** Warnings on the console, each kind once. */
export class Warnings {
  readonly #given = new Set<string>();

  /** @param kind equal for warnings that say the same of another call */
  warn(kind: string, message: string): void {
    if (this.#given.has(kind) || this.#given.size >= mostWarnings) return;
    this.#given.add(kind);
    console.warn(message);
  }
}
