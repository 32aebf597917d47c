/** A backend that was asked for: loading, losing and releasing it. */
import { describe, expect, test } from "vitest";
import { BackendUnavailableError, reference } from "../../src/index.js";
import type { Backend } from "../../src/operation/backend.js";
import { loadBackend } from "../../src/select/load.js";
import { isReady, Slot } from "../../src/select/slot.js";

/** A slot whose provider may fail, with a log. */
function slotOf(orderReason?: string) {
  const log: string[] = [];
  const state = { fails: false, waits: Promise.resolve() as Promise<unknown> };
  const provider = {
    name: "a",
    ...(orderReason !== undefined && { orderReason }),
    load: async (): Promise<Backend> => {
      log.push("load");
      await state.waits;
      if (state.fails) throw new BackendUnavailableError("not here", "look elsewhere");
      const inner = await reference().load();
      return {
        name: "a",
        info: inner.info,
        supports: (problem) => inner.supports(problem),
        plan: (problem) => inner.plan(problem),
        dispose: () => log.push("dispose"),
      };
    },
  };
  const slot = new Slot(provider, (given) => loadBackend(given, null));
  return { slot, log, state };
}

const lost = { code: "lost", message: "unplugged", hint: "wait" };

describe("a slot", () => {
  test("that was not tried says so", () => {
    const { slot, log } = slotOf("it is near");
    expect([slot.name, slot.orderReason, slot.state]).toEqual(["a", "it is near", "waiting"]);
    expect([slot.backend, slot.info, slot.test, slot.causes]).toEqual([null, null, null, []]);
    expect(slot.reasons).toEqual([
      { code: "not-tried", message: expect.stringMatching(/^not loaded yet/) },
    ]);
    expect(slot.status).toEqual({
      ...{ name: "a", status: "waiting" },
      reason: "not loaded yet: a backend that comes before it has run every call so far",
    });
    expect([isReady(slot), slot.generation, log]).toEqual([false, 0, []]);
  });

  test("loads once for calls that overlap, and not again once it is ready", async () => {
    const { slot, log } = slotOf();
    await Promise.all([slot.load(), slot.load()]);
    await slot.load();
    expect(log).toEqual(["load"]);
    expect(isReady(slot)).toBe(true);
    expect(slot.status).toEqual({ name: "a", status: "ready", info: slot.info });
    expect([slot.reasons, slot.causes, slot.generation]).toEqual([[], [], 1]);
  });

  test("that is unavailable says why, and is tried again when it is asked to load", async () => {
    const { slot, log, state } = slotOf();
    state.fails = true;
    await slot.load();
    const cause = expect.objectContaining({ code: "backend-unavailable" });
    expect(slot.status).toEqual({
      ...{ name: "a", status: "unavailable", reason: "not here", hint: "look elsewhere", cause },
    });
    expect([slot.causes, slot.generation, slot.backend]).toEqual([[cause], 0, null]);
    state.fails = false;
    await slot.load();
    expect([log, slot.state, slot.generation]).toEqual([["load", "load"], "ready", 1]);
  });

  test("that is lost releases its backend, stays lost while it cannot be loaded, and then has another", async () => {
    const { slot, log, state } = slotOf();
    await slot.load();
    const error = new Error("gone");
    slot.lose(lost, error);
    expect(log).toEqual(["load", "dispose"]);
    expect(slot.status).toEqual({
      ...{ name: "a", status: "lost", reason: "unplugged", hint: "wait", cause: error },
    });
    state.fails = true;
    await slot.load();
    expect([slot.state, slot.reasons]).toEqual(["lost", [lost]]);
    state.fails = false;
    await slot.load();
    expect([slot.state, slot.generation, slot.reasons]).toEqual(["ready", 2, []]);
    // Without a hint, there is none.
    slot.lose({ code: "lost", message: "again" }, undefined);
    expect(slot.status).toEqual({ name: "a", status: "lost", reason: "again", cause: undefined });
  });

  test("disposes a backend that arrives after it was released", async () => {
    const { slot, log, state } = slotOf();
    let arrive = (): void => {};
    state.waits = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    const loading = slot.load();
    slot.release();
    arrive();
    await loading;
    expect([log, slot.state, slot.backend]).toEqual([["load", "dispose"], "waiting", null]);
    const ready = slotOf();
    await ready.slot.load();
    ready.slot.release();
    expect(ready.log).toEqual(["load", "dispose"]);
  });
});
