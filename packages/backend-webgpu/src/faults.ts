import { DeviceError, DeviceLostError, OutOfMemoryError } from "@heed/core";

/** The backend's name, in its errors and on its tensors. */
export const backendName = "webgpu";

/**
 * A device's failures as typed errors: what error scopes catch, and the loss of the device.
 */
export class Faults {
  readonly #device: GPUDevice;
  #lost: DeviceLostError | null = null;
  /** Rejects when the device is lost; never resolves. */
  readonly loss: Promise<never>;

  constructor(device: GPUDevice) {
    this.#device = device;
    this.loss = device.lost.then((info) => {
      this.#lost = new DeviceLostError(
        backendName,
        `the device was lost (${info.reason ?? "unknown"}): ${info.message || "no message"}`,
        { cause: info },
      );
      throw this.#lost;
    });
    // A device may be lost, by being destroyed, when nobody waits for anything.
    this.loss.catch(() => {});
  }

  /** @throws DeviceLostError */
  checkPresent(): void {
    if (this.#lost) throw this.#lost;
  }

  /**
   * Runs something that gives the device work, without waiting for the work.
   *
   * @returns its result, and a promise that rejects with what the device says to it: once it has
   *   looked at it, not once it is done
   */
  watch<T>(what: string, work: () => T): { readonly result: T; readonly accepted: Promise<void> } {
    const device = this.#device;
    device.pushErrorScope("out-of-memory");
    device.pushErrorScope("validation");
    device.pushErrorScope("internal");
    let result: T;
    let scopes: Promise<GPUError | null>[] = [];
    try {
      result = work();
    } finally {
      scopes = [0, 1, 2].map(() => device.popErrorScope());
    }
    const accepted = this.orLost(Promise.all(scopes)).then((errors) => {
      for (const error of errors) if (error) throw this.#typed(what, error);
    });
    accepted.catch(() => {});
    return { result, accepted };
  }

  /**
   * Waits for the device, and no longer than there is one.
   *
   * @throws DeviceLostError
   */
  async orLost<T>(promise: Promise<T>): Promise<T> {
    try {
      return await Promise.race([promise, this.loss]);
    } catch (error) {
      // A lost device also breaks what it was doing; that it was lost says more.
      if (!(error instanceof DeviceError)) await this.#settle();
      this.checkPresent();
      throw error;
    }
  }

  /** Lets a loss that is already known be noticed. */
  async #settle(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0));
  }

  #typed(what: string, error: GPUError): DeviceError {
    const memory = /OutOfMemory/.test(error.constructor.name);
    return memory
      ? new OutOfMemoryError(backendName, `no memory for ${what}: ${error.message}`, {
          cause: error,
        })
      : new DeviceError(backendName, `${what} failed: ${error.message}`, { cause: error });
  }
}
