import type { Plan } from "../operation/backend.js";

/** A plan in use or kept for the next call. */
export interface CachedPlan {
  /** Resolves with the plan; rejects if it could not be made. */
  readonly made: Promise<Plan>;
  /** The plan, once it is made: a call that finds it need not wait for a promise. */
  ready: Plan | null;
  /** Runs that use it. */
  users: number;
  evicted: boolean;
  disposed: boolean;
}

/**
 * A bounded cache of plans that drops the least recently used. A plan is disposed once it is out of
 * the cache and no run uses it, or when the cache is disposed.
 */
export class PlanCache {
  readonly #capacity: number;
  /** In order of use: a Map keeps the order of insertion. */
  readonly #entries = new Map<string, CachedPlan>();
  /** The entry at the end of that order; taking it again changes nothing. */
  #newest: CachedPlan | null = null;
  /** Plans that are out of the cache while runs use them: such a run may never settle. */
  readonly #leaving = new Set<CachedPlan>();

  readonly #onFailure: (thrown: unknown) => void;

  /**
   * @param capacity plans kept; 0 keeps none
   * @param onFailure gets whatever the `dispose` of a plan throws: no call is there to reject
   */
  constructor(capacity: number, onFailure: (thrown: unknown) => void) {
    this.#capacity = capacity;
    this.#onFailure = onFailure;
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * The plan for a key, made by `make` if there is none yet. Every call of `take` is followed by one
   * of {@link release}, once the plan is not used any more; calls may overlap.
   */
  take(key: string, make: () => Plan | Promise<Plan>): CachedPlan {
    return this.#use(key, this.#entries.get(key) ?? this.#start(key, make));
  }

  /** As {@link take}, for a plan that is made already; null where there is none. */
  takeReady(key: string): CachedPlan | null {
    const entry = this.#entries.get(key);
    return entry === undefined || entry.ready === null ? null : this.#use(key, entry);
  }

  #use(key: string, entry: CachedPlan): CachedPlan {
    entry.users += 1;
    if (entry !== this.#newest) {
      this.#entries.delete(key);
      this.#entries.set(key, entry);
      this.#newest = entry;
      this.#shrink();
    }
    return entry;
  }

  /** Ends a use that {@link take} began. */
  release(entry: CachedPlan): void {
    entry.users -= 1;
    if (entry.evicted) this.#disposeUnused(entry);
  }

  /** Runs `use` with the plan for a key; see {@link take}. */
  async with<R>(
    key: string,
    make: () => Plan | Promise<Plan>,
    use: (plan: Plan) => Promise<R>,
  ): Promise<R> {
    const entry = this.take(key, make);
    try {
      return await use(entry.ready ?? (await entry.made));
    } finally {
      this.release(entry);
    }
  }

  /**
   * Drops plans, and disposes those that are not in use.
   *
   * @param prefix drops only those whose key begins with it
   */
  clear(prefix = ""): void {
    for (const [key, entry] of [...this.#entries]) {
      if (key.startsWith(prefix)) this.#evict(key, entry);
    }
  }

  /** Drops and disposes all plans, also those that are in use: nobody waits for these runs any more. */
  dispose(): void {
    this.clear();
    for (const entry of this.#leaving) this.#disposeEntry(entry);
  }

  #start(key: string, make: () => Plan | Promise<Plan>): CachedPlan {
    const made = (async () => make())();
    const entry: CachedPlan = { made, ready: null, users: 0, evicted: false, disposed: false };
    made.then(
      (plan) => {
        entry.ready = plan;
      },
      () => {
        // A plan that could not be made is not remembered: the next call tries again.
        if (this.#entries.get(key) === entry) this.#forget(key, entry);
      },
    );
    return entry;
  }

  #shrink(): void {
    for (const [key, entry] of this.#entries) {
      if (this.#entries.size <= this.#capacity) return;
      this.#evict(key, entry);
    }
  }

  #evict(key: string, entry: CachedPlan): void {
    this.#forget(key, entry);
    entry.evicted = true;
    this.#disposeUnused(entry);
  }

  #forget(key: string, entry: CachedPlan): void {
    this.#entries.delete(key);
    if (this.#newest === entry) this.#newest = null;
  }

  #disposeUnused(entry: CachedPlan): void {
    if (!entry.evicted || entry.disposed) return;
    if (entry.users > 0) this.#leaving.add(entry);
    else this.#disposeEntry(entry);
  }

  #disposeEntry(entry: CachedPlan): void {
    this.#leaving.delete(entry);
    entry.disposed = true;
    if (entry.ready !== null) this.#disposePlan(entry.ready);
    // Nobody waits for one that is still being made: it may never be. One that could not be made has told its error.
    else entry.made.then((plan) => this.#disposePlan(plan)).catch(() => {});
  }

  #disposePlan(plan: Plan): void {
    try {
      plan.dispose();
    } catch (thrown) {
      this.#onFailure(thrown);
    }
  }
}
