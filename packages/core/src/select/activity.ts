import { DisposedError } from "../errors.js";
import { nextTurn } from "../operation/turn.js";
import { isDeviceTensor } from "../tensor/host-tensor.js";

/** The calls under way of an attention, and whether it takes any more. */
export class Activity {
  /** Calls under way. */
  #running = 0;
  /** The runs among them that nobody waits for any more. */
  #abandoned = 0;
  #closed = false;
  #onIdle: (() => void) | null = null;

  /** Whether the call that asks is the only one. */
  get alone(): boolean {
    return this.#running === 1;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** @throws DisposedError after {@link close} */
  checkOpen(): void {
    if (this.#closed) throw new DisposedError("attention");
  }

  begin(): void {
    this.#running += 1;
  }

  end(): void {
    this.#running -= 1;
    this.#checkIdle();
  }

  /** Lets nobody wait for a call, or for making ready for one; what it gives is released. */
  abandon(late: Promise<unknown>): void {
    this.#abandoned += 1;
    const settled = (): void => {
      this.#abandoned -= 1;
    };
    late.then(releaseOutputs, () => {}).then(settled);
    this.#checkIdle();
  }

  /**
   * Takes no more calls; resolves when none is under way that somebody waits for, or when it has waited for long
   * enough: a backend's run may never settle.
   *
   * @param patience milliseconds, > 0
   */
  async close(patience: number): Promise<void> {
    this.#closed = true;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#onIdle?.();
    }, patience);
    while (!late && this.#running > this.#abandoned) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
      // A call that was abandoned is counted as such for a moment after it ended.
      await new Promise<void>((resolve) => nextTurn(resolve));
    }
    clearTimeout(timer);
  }

  #checkIdle(): void {
    if (this.#onIdle !== null && this.#running <= this.#abandoned) this.#onIdle();
  }
}

/** Releases the outputs of a call that nobody waits for, where they are in a backend's memory. */
export function releaseOutputs(outputs: unknown): void {
  for (const output of Object.values((outputs ?? {}) as object)) {
    if (isDeviceTensor(output)) output.dispose();
  }
}
