import { DeviceError } from "@heed/core";

/** A deadline that can be brought forward. */
export class Patience {
  /** Resolves at the deadline. */
  readonly over: Promise<void>;
  #until: number;
  #resolve: () => void = () => {};
  #timer: ReturnType<typeof setTimeout>;

  /** @param until in milliseconds of `performance.now` */
  constructor(until: number) {
    this.#until = until;
    this.over = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#timer = setTimeout(this.#resolve, this.left);
  }

  /** Milliseconds until the deadline, 0 after it. */
  get left(): number {
    return Math.max(0, this.#until - performance.now());
  }

  bringForward(until: number): void {
    if (until >= this.#until) return;
    this.#until = until;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#resolve, this.left);
  }

  /** Ends the waiting. */
  end(): void {
    clearTimeout(this.#timer);
    this.#until = 0;
    this.#resolve();
  }
}

/**
 * Waits for a promise no longer than a deadline.
 *
 * @param until in milliseconds of `performance.now`
 * @throws DeviceError (rejects) at the deadline
 */
export async function inTime(awaited: Promise<unknown> | null, until: number): Promise<void> {
  if (awaited === null) return;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => {
        const message = "earlier calls on the same tensors did not end before the deadline";
        reject(new DeviceError("cluster", message));
      },
      Math.max(0, until - performance.now()),
    );
  });
  try {
    await Promise.race([awaited, late]);
  } finally {
    clearTimeout(timer);
  }
}
