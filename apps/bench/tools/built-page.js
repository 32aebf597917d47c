// A page of these tools, built into a temporary folder and served in isolation, in a headless chromium.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { build } from "vite";
import { findEngine, serveFolder } from "../dist/engines/index.js";

/**
 * @param {URL} root the page's sources
 * @param {(browser: import("playwright-core").Browser, url: string) => Promise<void>} use gets the browser and the
 *   page's address, both until it ends
 */
export async function onBuiltPage(root, use) {
  const folder = await mkdtemp(join(tmpdir(), "heed-tool-"));
  await build({
    configFile: fileURLToPath(new URL("../vite.config.ts", import.meta.url)),
    root: fileURLToPath(root),
    build: { outDir: folder },
    logLevel: "warn",
  });
  const served = await serveFolder(folder, { port: 0, isolated: true });
  const browser = await chromium.launch({
    executablePath: findEngine("chromium"),
    args: ["--no-sandbox"],
  });
  try {
    await use(browser, served.url);
  } finally {
    await browser.close();
    await served.close();
    await rm(folder, { recursive: true });
  }
}
