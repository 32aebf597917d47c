/** tools/test/polling.js changes `setImmediate` for callbacks of native code alone. */
import { promisify } from "node:util";
import { expect, test } from "vitest";

test("callbacks of JavaScript get their turn and their arguments as before", async () => {
  const got = await new Promise((resolve) => {
    setImmediate((...args: number[]) => resolve(args), 1, 2);
  });
  expect(got).toEqual([1, 2]);
  expect(await promisify(setImmediate)("value")).toBe("value");
  // A promise's own `resolve` is native, too.
  await new Promise<void>((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve, "value"));
});

test("a turn can be taken back", async () => {
  let called = false;
  const immediate = setImmediate(() => {
    called = true;
  });
  clearImmediate(immediate);
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(called).toBe(false);
});

test("files that share a process change it once", async () => {
  const before = globalThis.setImmediate;
  // @ts-expect-error a script without types
  await import("../tools/test/polling.js?again");
  expect(globalThis.setImmediate).toBe(before);
});
