import type { Plan } from "../operation/backend.js";

/** A plan in use or kept for the next call. */
export interface CachedPlan {
  /** Resolves with the plan; rejects if it could not be made. */
  readonly made: Promise<Plan>;
  /** The plan, once it is made: a call that finds it need not wait for a promise. */
  ready: Plan | null;
  /** Runs that use it. */
  users: number;
  /** When it was last taken, by the cache's count of takings. */
  lastTaken: number;
  evicted: boolean;
  disposed: boolean;
}

/**
 * A bounded cache of plans that drops the least recently used. A plan is disposed once it is out of
 * the cache and no run uses it, or when the cache is disposed.
 */
export class PlanCache {
  readonly #capacity: number;
  readonly #entries = new Map<string, CachedPlan>();
  #taken = 0;
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
    const entry = this.#entries.get(key) ?? this.#start(key, make);
    this.#use(entry);
    this.#shrink();
    return entry;
  }

  /** As {@link take}, for a plan that is made already; null where there is none. */
  takeReady(key: string): CachedPlan | null {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.ready === null) return null;
    this.#use(entry);
    return entry;
  }

  /** A count, and no reordering of the map, which would allocate in each call of a loop that has two plans. */
  #use(entry: CachedPlan): void {
    entry.users += 1;
    this.#taken += 1;
    entry.lastTaken = this.#taken;
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
    const entry: CachedPlan = {
      made,
      ready: null,
      users: 0,
      lastTaken: 0,
      evicted: false,
      disposed: false,
    };
    this.#entries.set(key, entry);
    made.then(
      (plan) => {
        entry.ready = plan;
      },
      () => {
        // A plan that could not be made is not remembered: the next call tries again.
        if (this.#entries.get(key) === entry) this.#entries.delete(key);
      },
    );
    return entry;
  }

  /** Drops the plans that were taken the longest time ago, as many as are too many. */
  #shrink(): void {
    while (this.#entries.size > this.#capacity) {
      let oldest: string | undefined;
      let least = Number.POSITIVE_INFINITY;
      for (const [key, { lastTaken }] of this.#entries) {
        if (lastTaken >= least) continue;
        oldest = key;
        least = lastTaken;
      }
      if (oldest === undefined) return;
      this.#evict(oldest, this.#entries.get(oldest) as CachedPlan);
    }
  }

  #evict(key: string, entry: CachedPlan): void {
    this.#entries.delete(key);
    entry.evicted = true;
    this.#disposeUnused(entry);
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
