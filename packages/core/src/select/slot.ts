import type { SupportReason } from "../errors.js";
import type { AttentionProvider, Backend, BackendInfo } from "../operation/backend.js";
import type { FloatDType } from "../tensor/dtype.js";
import type { BackendStatus } from "./attention.js";
import type { Candidate } from "./strategy.js";

/** Tests of one backend, one for each dtype that calls have. */
export interface BackendTest {
  /** @throws BackendUnavailableError (rejects) if the backend is of no use */
  load(): Promise<void>;
  /** Why the backend must not run calls that have these dtypes, as far as they were tested; null if it may. */
  failure(of: readonly FloatDType[]): SupportReason | null;
  /** Tests those dtypes that have not been tested yet. Resolves as {@link failure}; never rejects. */
  complete(of: readonly FloatDType[]): Promise<SupportReason | null>;
}

/** A backend that was loaded and tested, or the reasons why there is none. */
export interface Loaded {
  readonly backend: Backend | null;
  readonly reasons: readonly SupportReason[];
  /** Tests of the dtypes that calls have; null if the backend is not to be tested. */
  readonly test: BackendTest | null;
  /** The value that loading or testing threw; left out where nothing was thrown. */
  readonly cause?: unknown;
}

/** Loads a provider's backend. Never rejects. */
export type LoadBackend = (provider: AttentionProvider) => Promise<Loaded>;

const notTried: SupportReason = {
  code: "not-tried",
  message: "not loaded yet: a backend that comes before it has run every call so far",
};

/** A backend that was asked for, in whichever state it is. */
export class Slot implements Candidate {
  readonly name: string;
  readonly orderReason: string | undefined;
  readonly #provider: AttentionProvider;
  readonly #loadBackend: LoadBackend;
  #status: BackendStatus["status"] = "waiting";
  #loaded: Loaded = { backend: null, reasons: [notTried], test: null };
  #loading: Promise<void> | null = null;
  #generation = 0;
  #released = false;

  constructor(provider: AttentionProvider, loadBackend: LoadBackend) {
    this.name = provider.name;
    this.orderReason = provider.orderReason;
    this.#provider = provider;
    this.#loadBackend = loadBackend;
  }

  /** The loaded backend; null in every state but `"ready"`. */
  get backend(): Backend | null {
    return this.#loaded.backend;
  }

  get info(): BackendInfo | null {
    return this.#loaded.backend?.info ?? null;
  }

  /** The reasons why there is no backend; empty if there is one. */
  get reasons(): readonly SupportReason[] {
    return this.#loaded.reasons;
  }

  get test(): BackendTest | null {
    return this.#loaded.test;
  }

  /** The value that loading threw, in an array; empty where nothing was thrown. */
  get causes(): readonly unknown[] {
    return "cause" in this.#loaded ? [this.#loaded.cause] : [];
  }

  get state(): BackendStatus["status"] {
    return this.#status;
  }

  /** Number of backends loaded so far: plans of an earlier one are of no use to a later one. */
  get generation(): number {
    return this.#generation;
  }

  /** The slot as callers see it. */
  get status(): BackendStatus {
    const { name } = this;
    const { backend, reasons } = this.#loaded;
    if (backend) return { name, status: "ready", info: backend.info };
    const hint = reasons.find((reason) => reason.hint !== undefined)?.hint;
    return {
      name,
      status: this.#status === "ready" ? "unavailable" : this.#status,
      reason: reasons.map(({ message }) => message).join("; "),
      ...(hint !== undefined && { hint }),
      ...("cause" in this.#loaded && { cause: this.#loaded.cause }),
    };
  }

  /** Loads the backend unless it is ready. Calls that overlap share one attempt. Never rejects. */
  load(): Promise<void> {
    if (this.#status === "ready") return Promise.resolve();
    this.#loading ??= this.#attempt();
    return this.#loading;
  }

  async #attempt(): Promise<void> {
    const loaded = await this.#loadBackend(this.#provider);
    this.#loading = null;
    if (this.#released) {
      release(loaded.backend);
      return;
    }
    if (loaded.backend === null && this.#status === "lost") return;
    this.#loaded = loaded;
    this.#status = loaded.backend === null ? "unavailable" : "ready";
    if (loaded.backend !== null) this.#generation += 1;
  }

  /** Gives the backend up, since its device is gone or it fails call after call. */
  lose(reason: SupportReason, cause: unknown): void {
    const { backend } = this.#loaded;
    this.#status = "lost";
    this.#loaded = { backend: null, reasons: [reason], test: null, cause };
    release(backend);
  }

  /**
   * Disposes the backend, one that is still being loaded as soon as it is there. Nothing loads any more.
   *
   * @throws whatever the backend's `dispose` throws
   */
  release(): void {
    this.#released = true;
    this.#loaded.backend?.dispose();
  }
}

/** A slot whose backend is loaded. */
export interface ReadySlot extends Slot {
  readonly backend: Backend;
}

export function isReady(slot: Slot): slot is ReadySlot {
  return slot.backend !== null;
}

/** Disposes something that `load` gave. Why it is of no use matters; a second failure adds nothing. */
export function release(loaded: unknown): void {
  try {
    (loaded as Partial<Backend> | null)?.dispose?.();
  } catch {
    // It had the chance to release what it holds.
  }
}
