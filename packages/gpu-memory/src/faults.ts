import { DeviceError, DeviceLostError, OutOfMemoryError } from "@heed/core";
import type { GpuDevice, GpuError } from "./gpu.js";

/** A device, as far as its failures go. */
type FaultyDevice = Pick<GpuDevice, "lost" | "pushErrorScope" | "popErrorScope">;

/**
 * The faults of each device by the backend that uses it. They are kept because `device.lost` lives as
 * long as the device and keeps every reaction to it.
 */
const ofDevices = new WeakMap<FaultyDevice, Map<string, Faults>>();

/** Turns a device's failures into typed errors: what error scopes catch, and the loss of the device. */
export class Faults {
  readonly #device: FaultyDevice;
  readonly #backend: string;
  #lost: DeviceLostError | null = null;
  /** Calls that wait for the device now. A loss rejects them. */
  readonly #waiting = new Set<(error: DeviceLostError) => void>();

  private constructor(device: FaultyDevice, backend: string) {
    this.#device = device;
    this.#backend = backend;
    void device.lost.then((info) => {
      const lost = new DeviceLostError(
        backend,
        `the device was lost (${info.reason ?? "unknown"}): ${info.message || "no message"}`,
        { cause: info },
      );
      this.#lost = lost;
      for (const reject of this.#waiting) reject(lost);
      this.#waiting.clear();
    });
  }

  /**
   * The faults of a device: always the same object for the same device and backend.
   *
   * @param backend name of the backend in errors
   */
  static of(device: FaultyDevice, backend: string): Faults {
    const byBackend = ofDevices.get(device) ?? new Map<string, Faults>();
    ofDevices.set(device, byBackend);
    let faults = byBackend.get(backend);
    if (!faults) {
      faults = new Faults(device, backend);
      byBackend.set(backend, faults);
    }
    return faults;
  }

  /** @throws DeviceLostError if the device is known to be lost */
  checkPresent(): void {
    if (this.#lost) throw this.#lost;
  }

  /**
   * Runs `work`, which gives commands to the device, inside of error scopes. Does not wait for the
   * device.
   *
   * @param what name of the work in errors
   * @returns its result, and a promise that settles when the device has validated the commands, which
   *   is before it has executed them; it rejects with a DeviceError, an OutOfMemoryError or a
   *   DeviceLostError
   */
  watch<T>(what: string, work: () => T): { readonly result: T; readonly accepted: Promise<void> } {
    const device = this.#device;
    device.pushErrorScope("out-of-memory");
    device.pushErrorScope("validation");
    device.pushErrorScope("internal");
    let result: T;
    try {
      result = work();
    } catch (error) {
      this.#closeScopes(what);
      throw error;
    }
    return { result, accepted: this.#closeScopes(what) };
  }

  /** @returns a promise as `accepted` of {@link watch}; nobody has to wait for it */
  #closeScopes(what: string): Promise<void> {
    const scopes = [0, 1, 2].map(() => this.#device.popErrorScope());
    const accepted = this.orLost(Promise.all(scopes)).then((errors) => {
      for (const error of errors) if (error) throw this.#typed(what, error);
    });
    accepted.catch(() => {});
    return accepted;
  }

  /**
   * Waits for a promise of the device, but no longer than the device exists.
   *
   * @throws DeviceLostError
   */
  async orLost<T>(promise: Promise<T>): Promise<T> {
    try {
      return await this.#untilLost(promise);
    } catch (error) {
      // A loss also breaks whatever was under way; that the device was lost is the better message.
      if (!(error instanceof DeviceError)) await this.#settle();
      this.checkPresent();
      throw error;
    }
  }

  /**
   * Waits for whichever comes first. Not `Promise.race` with a promise of the loss: that promise would
   * keep one reaction for each call until the device is gone.
   */
  #untilLost<T>(promise: Promise<T>): Promise<T> {
    if (this.#lost) {
      // Nobody hears of a rejection of its own, which would end the process in Node.
      promise.catch(() => {});
      return Promise.reject(this.#lost);
    }
    return new Promise<T>((resolve, reject) => {
      this.#waiting.add(reject);
      promise.then(
        (value) => {
          this.#waiting.delete(reject);
          resolve(value);
        },
        (error) => {
          this.#waiting.delete(reject);
          reject(error);
        },
      );
    });
  }

  /** Gives a loss that the implementation knows of the time to be noticed here. */
  async #settle(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0));
  }

  #typed(what: string, error: GpuError): DeviceError {
    const memory = /OutOfMemory/.test(error.constructor.name);
    return memory
      ? new OutOfMemoryError(this.#backend, `no memory for ${what}: ${error.message}`, {
          cause: error,
        })
      : new DeviceError(this.#backend, `${what} failed: ${error.message}`, { cause: error });
  }
}
