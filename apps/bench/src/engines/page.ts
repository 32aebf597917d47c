import type { BrowserName } from "./names.js";
import type { OpenedPage, OpenOptions } from "./opened.js";

/**
 * Opens an empty page in a headless browser.
 *
 * @throws MissingEngineError; Error if the library that drives it is not installed, or it does not start
 */
export async function openPage(name: BrowserName, options: OpenOptions = {}): Promise<OpenedPage> {
  if (name === "webkit") return (await import("./webkit.js")).openWebKit(options);
  return (await import("./puppeteer.js")).openWithPuppeteer(name, options);
}

/** A run that a page has been told to do by its address: see `announceOutcome` of its sources. */
export interface DrivenRun {
  readonly url: string;
  /** Is told each line that the page announces. */
  readonly say: (line: string) => void;
  /** Milliseconds between looks at the page. Default: 500 */
  readonly interval?: number;
}

/**
 * Opens an address, and waits until the page announces what came of its run.
 *
 * @throws Error with the page's words if the run failed, or if the browser ends
 */
export async function runPage<T>(
  page: OpenedPage,
  { url, say, interval = 500 }: DrivenRun,
): Promise<T> {
  await page.goto(url);
  for (;;) {
    // The first look makes the list of lines: a page that nobody drives keeps none.
    const { lines, done } = await page.evaluate<{ lines: readonly string[]; done: boolean }>(
      `({ lines: (globalThis.heedProgress ??= []).splice(0), done: "heedOutcome" in globalThis })`,
    );
    for (const line of lines) say(line);
    if (done) break;
    await new Promise((resolve) => setTimeout(resolve, interval));
  }
  const outcome = await page.evaluate<{ result: T } | { problem: string }>(
    "globalThis.heedOutcome",
  );
  if ("problem" in outcome) throw new Error(outcome.problem);
  return outcome.result;
}
