import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, onTestFinished, test } from "vitest";
// @ts-expect-error a script without types
import { serveBuilt } from "../tools/built-page.js";

export const executablePath: string = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";
const required = (process.env.HEED_REQUIRE ?? "").split(",").includes("chromium");
const here = existsSync(executablePath);

interface OpenOptions {
  readonly on?: Browser;
  /** Called before the page is loaded. */
  prepare?(page: Page): Promise<void>;
}

/** The page as it is built, under a path that is not the root, in a real browser. */
export class BuiltPage {
  #browser: Browser | undefined;
  #served: { readonly address: string; close(): Promise<void> } | undefined;

  get browser(): Browser {
    if (!this.#browser) throw new Error("the browser has not been started");
    return this.#browser;
  }

  get address(): string {
    if (!this.#served) throw new Error("the page has not been built");
    return this.#served.address;
  }

  async start(): Promise<void> {
    this.#served = await serveBuilt();
    this.#browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  }

  async stop(): Promise<void> {
    await this.#browser?.close();
    await this.#served?.close();
  }

  /** A page whose result is there. */
  async open(query: string, options: BrowserContextOptions = {}): Promise<Page> {
    const page = await this.ready(query, options);
    await computed(page);
    return page;
  }

  /** A page that is loaded; it is closed with the test. */
  async ready(
    query: string,
    options: BrowserContextOptions = {},
    { on = this.browser, prepare }: OpenOptions = {},
  ): Promise<Page> {
    const context = await on.newContext(options);
    onTestFinished(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(120_000);
    page.on("pageerror", (error) => console.error(error));
    await prepare?.(page);
    await page.goto(`${this.address}${query}`);
    return page;
  }
}

/** Tests of the page; without a chromium they are skipped, or fail where one is required. */
export function describePage(name: string, tests: (built: BuiltPage) => void): void {
  test.runIf(!here)(`${name} is tested`, () => {
    if (required) throw new Error(`no chromium at ${executablePath}`);
  });
  describe.runIf(here)(name, { timeout: 300_000 }, () => {
    const built = new BuiltPage();
    beforeAll(() => built.start(), 120_000);
    afterAll(() => built.stop());
    tests(built);
  });
}

export async function computed(page: Page, backend = "(?:webgpu|wasm|js)"): Promise<void> {
  await page.waitForFunction(
    (pattern) => new RegExp(pattern).test(document.querySelector("#status")?.textContent ?? ""),
    `^Computed by ${backend}$`,
  );
}

/** The weights that are shown below the words, in percent. */
export async function shares(page: Page): Promise<number[]> {
  const texts = await page.locator(".words .share").allTextContents();
  return texts.map((text) => Number.parseFloat(text));
}

/** The file that is saved when a button is pressed. */
export async function saved(page: Page, button: string): Promise<Buffer> {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click(button)]);
  return readFile(await download.path());
}
