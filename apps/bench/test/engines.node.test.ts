import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findEngine, hasEngine, MissingEngineError, runPage } from "@heed/bench/engines";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { parseOptions } from "../src/cli/options.js";
import type { OpenedPage } from "../src/engines/opened.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "heed-engines-"));
});
afterAll(() => rm(folder, { recursive: true }));

afterEach(() => {
  vi.unstubAllEnvs();
});

test("an engine is where its variable says, or a command of PATH", async () => {
  const program = join(folder, "firefox");
  await writeFile(program, "");
  vi.stubEnv("FIREFOX_PATH", program);
  expect(findEngine("firefox")).toBe(program);
  vi.stubEnv("FIREFOX_PATH", "");
  vi.stubEnv("PATH", `/nowhere:${folder}`);
  expect(findEngine("firefox")).toBe(program);
});

test("a missing engine is an error that says how to get it", () => {
  vi.stubEnv("WEBKIT_DRIVER_PATH", "/nowhere/driver");
  expect(() => findEngine("webkit")).toThrow(MissingEngineError);
  expect(() => findEngine("webkit")).toThrow(
    "no webkit at /nowhere/driver: install it (on Debian: apt install webkit2gtk-driver xvfb), or name another with WEBKIT_DRIVER_PATH",
  );
  expect(hasEngine("webkit")).toBe(false);
});

test("webkit without a display is missing, too", async () => {
  const empty = await mkdtemp(join(folder, "display-"));
  const driver = join(empty, "WebKitWebDriver");
  await writeFile(driver, "");
  vi.stubEnv("WEBKIT_DRIVER_PATH", driver);
  vi.stubEnv("PATH", empty);
  vi.stubEnv("DISPLAY", "");
  expect(() => findEngine("webkit")).toThrow(
    "no display for webkit, and no Xvfb: install it (on Debian: apt install webkit2gtk-driver xvfb), or name another with DISPLAY",
  );
  expect(hasEngine("webkit")).toBe(false);
  await writeFile(join(empty, "Xvfb"), "");
  expect(findEngine("webkit")).toBe(driver);
  vi.stubEnv("PATH", "");
  vi.stubEnv("DISPLAY", ":1");
  expect(findEngine("webkit")).toBe(driver);
});

test("the command takes engines in any order and measures in one order", () => {
  expect(parseOptions(["--bun", "--firefox", "--chromium"]).engines).toEqual([
    "chromium",
    "firefox",
    "bun",
  ]);
  expect(parseOptions([]).engines).toEqual([]);
});

/** A page whose global object is an object here. */
function fakePage(global: Record<string, unknown>): OpenedPage {
  const none = async () => {};
  return {
    version: "1",
    goto: none,
    evaluate: async (expression) => new Function("globalThis", `return ${expression}`)(global),
    resize: none,
    screenshot: async () => new Uint8Array(),
    close: none,
  };
}

test("lines and the result of a page that is driven are handed on", async () => {
  const global: Record<string, unknown> = {};
  const lines: string[] = [];
  const running = runPage(fakePage(global), { url: "", say: (l) => lines.push(l), interval: 1 });
  await vi.waitFor(() => expect(global).toHaveProperty("heedProgress"));
  (global.heedProgress as string[]).push("one", "two");
  await vi.waitFor(() => expect(lines).toEqual(["one", "two"]));
  global.heedOutcome = { result: 7 };
  expect(await running).toBe(7);
});

test("a page's problem becomes an error", async () => {
  const page = fakePage({ heedOutcome: { problem: "out of luck" } });
  await expect(runPage(page, { url: "", say: () => {} })).rejects.toThrow("out of luck");
});
