import { expect, test } from "vitest";
import { Writes } from "../src/writes.js";

function deferred() {
  let resolve: () => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

function writes() {
  const log: string[] = [];
  const failed = (error: unknown): never => {
    log.push(`failed: ${error}`);
    throw error;
  };
  return { log, writes: new Writes(() => log.push("written"), failed) };
}

const turn = () => new Promise((resolve) => setTimeout(resolve));

for (const first of ["keys", "values"] as const) {
  test(`both writes are waited for, also if the ${first} end first`, async () => {
    const { log, writes: both } = writes();
    const [keys, values] = [deferred(), deferred()];
    const all = both.wait(keys.promise, values.promise).then(() => log.push("told"));
    (first === "keys" ? keys : values).resolve();
    await turn();
    expect(log).toEqual([]);
    keys.resolve();
    values.resolve();
    await all;
    expect(log).toEqual(["written", "told"]);
  });

  test(`an error of the ${first}, which end first, is told when the others have ended`, async () => {
    const { log, writes: both } = writes();
    const [keys, values] = [deferred(), deferred()];
    // No rejection is unhandled meanwhile: that would end the process.
    const all = both.wait(keys.promise, values.promise);
    (first === "keys" ? keys : values).reject("lost");
    await turn();
    expect(log).toEqual([]);
    (first === "keys" ? values : keys).reject("late");
    await expect(all).rejects.toBe("lost");
    expect(log).toEqual(["failed: lost"]);
  });
}

test("a failure is forgotten by the next two writes", async () => {
  const { log, writes: both } = writes();
  await expect(both.wait(Promise.reject("a"), Promise.resolve())).rejects.toBe("a");
  await both.wait(Promise.resolve(), Promise.resolve());
  expect(log).toEqual(["failed: a", "written"]);
});
