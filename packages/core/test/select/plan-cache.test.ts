/** Plans that are kept, used by calls that overlap, dropped and disposed. */
import { describe, expect, test } from "vitest";
import type { Plan } from "../../src/operation/backend.js";
import { PlanCache } from "../../src/select/plan-cache.js";

const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

/** A cache, with a log of plans that are made and disposed. */
function cacheOf(capacity: number) {
  const log: string[] = [];
  const failures: unknown[] = [];
  const cache = new PlanCache(capacity, (thrown) => failures.push(thrown));
  const make = (key: string) => (): Plan => {
    log.push(`make ${key}`);
    return { key, dispose: () => log.push(`dispose ${key}`) } as unknown as Plan;
  };
  /** Takes a plan, waits for it, and ends the use. */
  const use = async (key: string) => {
    const entry = cache.take(key, make(key));
    await entry.made;
    cache.release(entry);
  };
  return { cache, log, failures, make, use };
}

describe("a cache of plans", () => {
  test("makes each plan once, also for calls that overlap", async () => {
    const { cache, log, make } = cacheOf(2);
    const [a, again] = [cache.take("a", make("a")), cache.take("a", make("a"))];
    expect(again).toBe(a);
    expect(a.users).toBe(2);
    expect(cache.takeReady("a")).toBeNull();
    const plan = await a.made;
    expect(a.ready).toBe(plan);
    expect(cache.takeReady("a")).toBe(a);
    expect(a.users).toBe(3);
    expect(cache.takeReady("b")).toBeNull();
    for (let i = 0; i < 3; i++) cache.release(a);
    expect([a.users, cache.size, log]).toEqual([0, 1, ["make a"]]);
  });

  test("drops the one that was taken the longest time ago, however it was taken", async () => {
    const { cache, log, use } = cacheOf(2);
    await use("a");
    await use("b");
    const a = cache.takeReady("a");
    cache.release(a as NonNullable<typeof a>);
    await use("c");
    expect(log).toEqual(["make a", "make b", "make c", "dispose b"]);
    await use("a");
    await use("d");
    expect(log.slice(4)).toEqual(["make d", "dispose c"]);
    expect(cache.size).toBe(2);
  });

  test("disposes a plan that is in use when its last use ends, once", async () => {
    const { cache, log, make } = cacheOf(0);
    const a = cache.take("a", make("a"));
    expect(cache.size).toBe(0);
    await a.made;
    await settled();
    expect(log).toEqual(["make a"]);
    a.users += 1;
    cache.release(a);
    expect(log).toEqual(["make a"]);
    cache.release(a);
    expect(log).toEqual(["make a", "dispose a"]);
    cache.dispose();
    expect(log).toEqual(["make a", "dispose a"]);
  });

  test("disposes everything at its end, also what is in use, and what is still being made then", async () => {
    const { cache, log, make, use } = cacheOf(2);
    await use("idle");
    const used = cache.take("used", make("used"));
    await used.made;
    let arrive = (): void => {};
    const late = cache.take("late", async () => {
      await new Promise<void>((resolve) => {
        arrive = resolve;
      });
      return make("late")();
    });
    cache.dispose();
    expect(log).toEqual(["make idle", "make used", "dispose idle", "dispose used"]);
    arrive();
    await late.made;
    await settled();
    expect(log.slice(4)).toEqual(["make late", "dispose late"]);
    cache.release(used);
    cache.release(late);
    await settled();
    expect(log).toHaveLength(6);
  });

  test("clears the plans of a prefix alone", async () => {
    const { cache, log, use } = cacheOf(4);
    for (const key of ["0 a", "1 a", "0 b"]) await use(key);
    cache.clear("0 ");
    expect(log.slice(3)).toEqual(["dispose 0 a", "dispose 0 b"]);
    expect(cache.size).toBe(1);
    cache.clear();
    expect(log.slice(5)).toEqual(["dispose 1 a"]);
  });

  test("does not remember a plan that could not be made, but a later one of the same key", async () => {
    const { cache, log, make } = cacheOf(2);
    let fail = (): void => {};
    const failing = cache.take(
      "a",
      () =>
        new Promise((_, reject) => {
          fail = () => reject(new Error("no"));
        }),
    );
    cache.clear();
    const second = cache.take("a", make("a"));
    fail();
    await expect(failing.made).rejects.toThrow("no");
    await settled();
    expect(cache.takeReady("a")).toBe(second);
    const throwing = cache.take("b", () => {
      throw new Error("at once");
    });
    await expect(throwing.made).rejects.toThrow("at once");
    await settled();
    expect(cache.size).toBe(1);
    cache.release(failing);
    cache.release(throwing);
    await settled();
    expect(log).toEqual(["make a"]);
  });

  test("ends a use whatever becomes of it, and reports a dispose that throws", async () => {
    const { cache, failures, make, log } = cacheOf(1);
    expect(await cache.with("a", make("a"), async (plan) => [plan])).toHaveLength(1);
    const using = cache.with("a", make("a"), async () => {
      throw new Error("used");
    });
    await expect(using).rejects.toThrow("used");
    expect(cache.take("a", make("a")).users).toBe(1);
    expect(log).toEqual(["make a"]);
    const bad = cache.take(
      "bad",
      () =>
        ({
          dispose: () => {
            throw new Error("stuck");
          },
        }) as unknown as Plan,
    );
    await bad.made;
    cache.release(bad);
    expect(failures).toEqual([]);
    cache.clear();
    expect(failures).toEqual([new Error("stuck")]);
  });
});
