import { nextTurn } from "@heed/core/turn";
import { Faults } from "./faults.js";
import type { GpuBuffer, GpuDevice } from "./gpu.js";

type Encoder<B extends GpuBuffer, D extends GpuDevice<B>> = ReturnType<D["createCommandEncoder"]>;

/** Commands that wait, and the promise of their submission. */
interface Batch<E> {
  readonly encoder: E;
  readonly accepted: Promise<void>;
  readonly settle: (accepted: Promise<void>) => void;
  /** Rough number of operations. */
  work: number;
}

/** The commands of each device by the backend that uses it: tensors of one device are used by several memories. */
const ofDevices = new WeakMap<object, Map<string, unknown>>();

/**
 * Operations that may be submitted at once: a driver may take a submission for one piece of work, and a GPU
 * with nothing to do should not wait for the end of a turn.
 */
const mostWork = 1e10;

/**
 * The commands of a backend's calls on one device. Calls record into one encoder, which is submitted at the
 * end of the turn of the event loop, or as soon as somebody needs it: a step of a decoder, whose calls follow
 * each other without waiting for the device, is one submission.
 */
export class Commands<B extends GpuBuffer = GpuBuffer, D extends GpuDevice<B> = GpuDevice<B>> {
  readonly #device: D;
  readonly #faults: Faults;
  #batch: Batch<Encoder<B, D>> | null = null;
  /** Submissions so far. */
  #submissions = 0;

  private constructor(device: D, backend: string) {
    this.#device = device;
    this.#faults = Faults.of(device, backend);
  }

  /**
   * The commands of a device: always the same object for the same device and backend.
   *
   * @param backend name of the backend in errors
   */
  static of<B extends GpuBuffer, D extends GpuDevice<B>>(
    device: D,
    backend: string,
  ): Commands<B, D> {
    const byBackend = (ofDevices.get(device) ?? new Map()) as Map<string, Commands<B, D>>;
    ofDevices.set(device, byBackend);
    let commands = byBackend.get(backend);
    if (!commands) {
      commands = new Commands<B, D>(device, backend);
      byBackend.set(backend, commands);
    }
    return commands;
  }

  /** Number of the submission that waits; null if none does. */
  get waiting(): number | null {
    return this.#batch === null ? null : this.#submissions;
  }

  /**
   * Records commands for the present submission, after those that are recorded already.
   *
   * @param what name of the work in errors
   * @param record gives commands to the encoder; a compute pass that it begins, it ends
   * @param work rough number of operations
   * @returns a promise that rejects if the device refuses the commands or their submission
   */
  record(what: string, record: (encoder: Encoder<B, D>) => void, work = 0): Promise<void> {
    const waits = this.#batch;
    if (waits !== null && waits.work + work > mostWork) this.submit();
    const batch = this.#batch ?? this.#begin();
    batch.work += work;
    const recorded = this.#faults.watch(what, () => record(batch.encoder)).accepted;
    const accepted = Promise.all([recorded, batch.accepted]).then(() => {});
    accepted.catch(() => {});
    return accepted;
  }

  /** Submits what waits, if anything does. */
  submit(): void {
    const batch = this.#batch;
    if (batch === null) return;
    this.#batch = null;
    this.#submissions += 1;
    try {
      const { accepted } = this.#faults.watch("running commands", () =>
        this.#device.queue.submit([batch.encoder.finish()]),
      );
      batch.settle(accepted);
    } catch (error) {
      batch.settle(Promise.reject(error));
    }
  }

  #begin(): Batch<Encoder<B, D>> {
    let settle: Batch<unknown>["settle"] = () => {};
    const accepted = new Promise<void>((resolve) => {
      settle = resolve;
    });
    accepted.catch(() => {});
    const encoder = this.#device.createCommandEncoder() as Encoder<B, D>;
    const batch = { encoder, accepted, settle, work: 0 };
    this.#batch = batch;
    nextTurn(() => {
      if (this.#batch === batch) this.submit();
    });
    return batch;
  }
}
