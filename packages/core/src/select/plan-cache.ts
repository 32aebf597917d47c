import type { AttentionPlan } from "../operation/backend.js";

interface Entry {
  readonly plan: Promise<AttentionPlan>;
  users: number;
  evicted: boolean;
  disposed: boolean;
}

/**
 * A bounded cache of plans that drops the least recently used. A plan is disposed once it is out of
 * the cache and no run uses it.
 */
export class PlanCache {
  readonly #capacity: number;
  /** In order of use: a Map keeps the order of insertion. */
  readonly #entries = new Map<string, Entry>();

  /** @param capacity plans kept; 0 keeps none */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Runs `use` with the plan for a key, made by `make` if there is none; calls may overlap. */
  async with<R>(
    key: string,
    make: () => AttentionPlan | Promise<AttentionPlan>,
    use: (plan: AttentionPlan) => Promise<R>,
  ): Promise<R> {
    const entry = this.#take(key, make);
    try {
      return await use(await entry.plan);
    } finally {
      entry.users -= 1;
      await disposeUnused(entry);
    }
  }

  /** Drops every plan; resolves when those not in use are disposed. */
  async clear(): Promise<void> {
    await Promise.all([...this.#entries].map(([key, entry]) => this.#evict(key, entry)));
  }

  #take(key: string, make: () => AttentionPlan | Promise<AttentionPlan>): Entry {
    let entry = this.#entries.get(key);
    if (entry) {
      this.#entries.delete(key);
    } else {
      const fresh: Entry = {
        plan: (async () => make())(),
        users: 0,
        evicted: false,
        disposed: false,
      };
      // A plan that could not be made is not remembered: the next call tries again.
      fresh.plan.catch(() => {
        if (this.#entries.get(key) === fresh) this.#entries.delete(key);
      });
      entry = fresh;
    }
    entry.users += 1;
    this.#entries.set(key, entry);
    for (const [oldKey, old] of this.#entries) {
      if (this.#entries.size <= this.#capacity) break;
      void this.#evict(oldKey, old);
    }
    return entry;
  }

  #evict(key: string, entry: Entry): Promise<void> {
    this.#entries.delete(key);
    entry.evicted = true;
    return disposeUnused(entry);
  }
}

async function disposeUnused(entry: Entry): Promise<void> {
  if (!entry.evicted || entry.users > 0 || entry.disposed) return;
  entry.disposed = true;
  // A plan that could not be made needs no disposal; its error went to whoever asked for it.
  const plan = await entry.plan.catch(() => null);
  plan?.dispose();
}
