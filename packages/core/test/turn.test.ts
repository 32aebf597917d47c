import { InvalidInputError } from "@heed/core";
import { nextTurn } from "@heed/core/turn";
import { afterEach, describe, expect, test, vi } from "vitest";

afterEach(() => vi.unstubAllGlobals());

let engine = 0;

/** The module as a new engine with these globals has it. */
async function turnOf(globals: Readonly<Record<string, unknown>>) {
  for (const [global, value] of Object.entries(globals)) vi.stubGlobal(global, value);
  const path = `../src/operation/turn.js?${++engine}`;
  return (await import(/* @vite-ignore */ path)) as { nextTurn: typeof nextTurn };
}

const engines: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  immediate: {},
  messages: { setImmediate: undefined },
  timers: { setImmediate: undefined, MessageChannel: undefined },
};

describe.each(Object.keys(engines))("the next turn, by %s", (name) => {
  test("comes after promises that are resolved already, in the order of its calls", async () => {
    const { nextTurn } = await turnOf(engines[name] ?? {});
    const log: string[] = [];
    const last = new Promise<void>((resolve) => {
      nextTurn(() => log.push("first"));
      nextTurn(() => log.push("second"));
      nextTurn(resolve);
    });
    Promise.resolve()
      .then(() => {})
      .then(() => log.push("promise"));
    log.push("call");
    await last;
    expect(log).toEqual(["call", "promise", "first", "second"]);
    await new Promise<void>((resolve) => nextTurn(resolve));
  });
});

test("what is no function is refused", () => {
  expect(() => nextTurn(5 as never)).toThrow(InvalidInputError);
  expect(() => nextTurn(5 as never)).toThrow(/run: expected a function, got 5/);
});
