/** Options of an attention and of its calls, the time that they leave, and its listeners. */
import { createAttention, reference } from "@heed/core";
import { afterEach, describe, expect, test, vi } from "vitest";
import { checkProblem } from "../src/operation/problem.js";
import { isList } from "../src/options.js";
import { Listeners } from "../src/select/events.js";
import { checkLimits, checkPatience, readLimits, withLimits } from "../src/select/limits.js";
import { checkOptions } from "../src/select/options.js";
import { readPrepareOptions } from "../src/select/prepare-options.js";
import { Warnings } from "../src/select/warnings.js";
import { errorOf } from "./program/error-of.js";

const backends = [{ name: "a", load: async () => ({}) as never }];

test("options that are left out have their defaults", () => {
  const { providers, ...others } = checkOptions({ backends });
  expect(providers.map(({ name }) => name)).toEqual(["a"]);
  expect(others).toEqual({
    ...{ fallback: "warn", selfTest: true, planCacheSize: 64, load: "all", recover: false },
    ...{ maxWorkspaceBytes: Number.POSITIVE_INFINITY, signal: undefined, timeout: undefined },
  });
  const given = {
    ...{ fallback: "silent", selfTest: false, planCacheSize: 0, load: "on-demand", recover: true },
    ...{ maxWorkspaceBytes: 0, timeout: 0.5, signal: new AbortController().signal },
  } as const;
  expect(checkOptions({ backends, ...given } as never)).toMatchObject(given);
});

test.each<[string, object, string, string]>([
  ["backends", { backends: undefined }, "at least one provider, such as js()", "undefined"],
  ["backends", { backends: [] }, "at least one provider, such as js()", "[]"],
  [
    "backends",
    { backends: backends[0] },
    "at least one provider, such as js()",
    "an object with name, load",
  ],
  ["backends[1]", { backends: [...backends, null] }, "a provider, such as js()", "null"],
  ["backends[0]", { backends: [{ name: "a" }] }, "a provider, such as js()", "an object with name"],
  [
    "backends[0]",
    { backends: [{ load: () => {} }] },
    "a provider, such as js()",
    "an object with load",
  ],
  [
    "backends[0]",
    { backends: [{ name: 1, load: () => {} }] },
    "a provider, such as js()",
    "an object with name, load",
  ],
  ["fallback", { fallback: "loud" }, '"warn", "error" or "silent"', '"loud"'],
  ["selfTest", { selfTest: 1 }, "a boolean", "1"],
  ["planCacheSize", { planCacheSize: -1 }, "an integer ≥ 0", "-1"],
  ["planCacheSize", { planCacheSize: 0.5 }, "an integer ≥ 0", "0.5"],
  ["load", { load: "late" }, '"all" or "on-demand"', '"late"'],
  ["recover", { recover: 1 }, "a boolean", "1"],
  ["recover", { recover: true, fallback: "error" }, 'false where fallback is "error"', "true"],
  ["maxWorkspaceBytes", { maxWorkspaceBytes: -1 }, "a number of bytes ≥ 0", "-1"],
  ["maxWorkspaceBytes", { maxWorkspaceBytes: Number.NaN }, "a number of bytes ≥ 0", "NaN"],
  ["maxWorkspaceBytes", { maxWorkspaceBytes: "1" }, "a number of bytes ≥ 0", '"1"'],
  ["timeout", { timeout: 0 }, "a number of milliseconds > 0", "0"],
  ["timeout", { timeout: "5" }, "a number of milliseconds > 0", '"5"'],
  ["signal", { signal: {} }, "an AbortSignal", "an object with no members"],
  ["signal", { signal: { aborted: false } }, "an AbortSignal", "an object with aborted"],
  [
    "signal",
    { signal: { addEventListener() {} } },
    "an AbortSignal",
    "an object with addEventListener",
  ],
  ["signal", { signal: null }, "an AbortSignal", "null"],
])("%s is refused: %j", (argument, changes, expected, actual) => {
  const error = errorOf(() => checkOptions({ backends, ...changes } as never));
  expect([error.argument, error.expected, error.actual]).toEqual([argument, expected, actual]);
});

test.each<[string, unknown, string, string]>([
  ["options", 5, "an object", "5"],
  ["options.tunes", { tunes: true }, "only signal, timeout, tune", '"tunes"'],
  ["tune", { tune: 5 }, "a boolean or { budget }", "5"],
  ["tune.budgets", { tune: { budgets: 5 } }, "only budget", '"budgets"'],
  ["tune.budget", { tune: { budget: 0 } }, "milliseconds > 0", "0"],
  ["tune.budget", { tune: { budget: "5" } }, "milliseconds > 0", '"5"'],
])("%s of prepare is refused: %j", (argument, options, expected, actual) => {
  const error = errorOf(() => readPrepareOptions(options));
  expect([error.argument, error.expected, error.actual]).toEqual([argument, expected, actual]);
});

test("a list is an array of any realm, and a proxy that was revoked is none", () => {
  const { proxy, revoke } = Proxy.revocable<unknown[]>([], {});
  expect([[], proxy, {}, new Int32Array(1), null].map(isList)).toEqual([
    ...[true, true, false, false, false],
  ]);
  revoke();
  expect(isList(proxy)).toBe(false);
});

test("warnings are printed once of each kind, and of 256 kinds", () => {
  const printed = vi.spyOn(console, "warn").mockImplementation(() => {});
  const warnings = new Warnings();
  for (let n = 0; n < 300; n++) for (const _ of [0, 1]) warnings.warn(`kind ${n}`, `message ${n}`);
  expect(printed.mock.calls).toEqual(Array.from({ length: 256 }, (_, n) => [`message ${n}`]));
  printed.mockRestore();
});

test("what is no problem is said to be none, of an operation or of any", () => {
  const expected = (operation?: string) => errorOf(() => checkProblem({}, operation)).expected;
  expect(expected()).toBe("a problem, as describe gives");
  expect(expected("merge")).toBe("a problem of the operation merge, as describe gives");
});

test("prepare measures for as long as it is told", () => {
  const budgetOf = (tune?: unknown) => readPrepareOptions({ tune }).budget;
  expect(readPrepareOptions(undefined)).toEqual({ limits: {}, budget: null });
  expect([undefined, false, true, {}, { budget: 7 }].map(budgetOf)).toEqual([
    null,
    null,
    1000,
    1000,
    7,
  ]);
  expect(readPrepareOptions({ timeout: 3 }).limits.timeout).toBe(3);
});

test("dispose waits for five seconds, or as long as timers can", () => {
  expect(checkPatience(undefined)).toBe(5000);
  expect(checkPatience({ timeout: 7 })).toBe(7);
  expect(checkPatience({ timeout: 2 ** 40 })).toBe(2 ** 31 - 1);
  expect(errorOf(() => checkPatience({ signal: undefined })).argument).toBe("options.signal");
  expect(errorOf(() => checkLimits({ tune: true })).argument).toBe("options.tune");
  expect(checkLimits(undefined)).toEqual({});
});

describe("a wait with limits", () => {
  afterEach(() => vi.restoreAllMocks());
  const later = (value: unknown, milliseconds: number) =>
    new Promise((resolve) => setTimeout(() => resolve(value), milliseconds));

  test("ends with what it waits for", async () => {
    const abandoned: unknown[] = [];
    const abandon = (late: unknown) => abandoned.push(late);
    const { signal } = new AbortController();
    const removed = vi.spyOn(signal, "removeEventListener");
    expect(await withLimits({}, async () => 1, abandon)).toBe(1);
    expect(await withLimits({ signal }, async () => 2, abandon)).toBe(2);
    expect(await withLimits({ timeout: 2 ** 40 }, async () => 3, abandon)).toBe(3);
    const failing = withLimits(
      { signal, timeout: 1000 },
      () => Promise.reject(new Error("no")),
      abandon,
    );
    await expect(failing).rejects.toThrow("no");
    expect(removed).toHaveBeenCalledTimes(2);
    expect(abandoned).toEqual([]);
  });

  test("ends after its time, or when its signal says so, and hands over what goes on", async () => {
    const abandoned: Promise<unknown>[] = [];
    const abandon = (late: Promise<unknown>) => abandoned.push(late);
    const late = withLimits({ timeout: 5 }, () => later("late", 20), abandon);
    await expect(late).rejects.toMatchObject({
      name: "TimeoutError",
      message: "not done within 5 ms",
    });
    const controller = new AbortController();
    const stopped = withLimits(controller, () => later("stopped", 20), abandon);
    const reason = new Error("enough");
    controller.abort(reason);
    await expect(stopped).rejects.toBe(reason);
    expect(await Promise.all(abandoned)).toEqual(["late", "stopped"]);
    let started = false;
    const never = withLimits(
      controller,
      async () => {
        started = true;
      },
      abandon,
    );
    await expect(never).rejects.toBe(reason);
    expect([started, abandoned.length]).toEqual([false, 2]);
    expect(readLimits({ timeout: 4 })).toEqual({ signal: undefined, timeout: 4 });
  });
});

test("listeners are told once for each time that they were added, until they are removed", () => {
  const failures: unknown[] = [];
  const listeners = new Listeners((thrown) => failures.push(thrown));
  const log: string[] = [];
  const listener = ({ backend }: { readonly backend: string }) => log.push(backend);
  const remove = listeners.add("recovered", listener);
  listeners.add("recovered", listener);
  const broken = new Error("broken");
  listeners.add("recovered", () => {
    throw broken;
  });
  listeners.tell("recovered", { backend: "a" });
  expect(log).toEqual(["a", "a"]);
  expect(failures).toEqual([broken]);
  remove();
  remove();
  listeners.tell("recovered", { backend: "b" });
  expect(log).toEqual(["a", "a", "b"]);
  listeners.tell("lost", { backend: "c", error: null, retryAfter: 1 });
  expect(log).toHaveLength(3);
});

test("events and listeners that are none are refused", async () => {
  const attention = await createAttention({ backends: [reference()], selfTest: false });
  for (const [event, listener, argument, expected] of [
    ["chosen", () => {}, "event", "one of choice, fallback, lost, recovered"],
    ["choice", 5, "listener", "a function"],
  ] as const) {
    const error = errorOf(() => attention.on(event as never, listener as never));
    expect([error.argument, error.expected]).toEqual([argument, expected]);
  }
  await expect(attention.warmUp(5 as never)).rejects.toMatchObject({
    argument: "subjects",
    expected: "a list of calls",
  });
  await attention.dispose();
});
