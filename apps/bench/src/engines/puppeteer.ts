import type { LaunchOptions } from "puppeteer-core";
import { findEngine } from "./find.js";
import type { OpenedPage, OpenOptions } from "./opened.js";

/** Root may not have a sandbox. */
const sandbox = (): readonly string[] => (process.getuid?.() === 0 ? ["--no-sandbox"] : []);

/** Opens a page in Chromium, over its DevTools protocol, or in Firefox, over WebDriver BiDi. */
export async function openWithPuppeteer(
  name: "chromium" | "firefox",
  { env = {}, args = [] }: OpenOptions,
): Promise<OpenedPage> {
  const executablePath = findEngine(name);
  const { launch } = await import("puppeteer-core").catch((cause: unknown) => {
    throw new Error(`puppeteer-core is not installed, and drives ${name}`, { cause });
  });
  const shared: LaunchOptions = {
    executablePath,
    headless: true,
    // A run of the suite takes as long as it takes.
    protocolTimeout: 0,
    env: { ...process.env, ...env },
  };
  const browser = await launch(
    name === "chromium"
      ? { ...shared, args: [...chromiumArguments, ...sandbox(), ...args] }
      : { ...shared, browser: "firefox", args: [...args], extraPrefsFirefox: firefoxPreferences },
  );
  try {
    const [page = await browser.newPage()] = await browser.pages();
    const version = (await browser.version()).split("/").at(-1) as string;
    return {
      version,
      goto: async (url) => void (await page.goto(url)),
      evaluate: async (expression) =>
        JSON.parse((await page.evaluate(`JSON.stringify((${expression}) ?? null)`)) as string),
      resize: (width, height) => page.setViewport({ width, height }),
      screenshot: () => page.screenshot(),
      close: () => browser.close(),
    };
  } catch (error) {
    await browser.close();
    throw error;
  }
}

const chromiumArguments: readonly string[] = [
  // Without a GPU, an imitated one; reports say so.
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  // GPU timestamps are rounded to 100 µs otherwise.
  "--disable-dawn-features=timestamp_quantization",
];

const firefoxPreferences = {
  // Not yet on by default on Linux, and refused for software drivers.
  "dom.webgpu.enabled": true,
  "gfx.webgpu.ignore-blocklist": true,
};
