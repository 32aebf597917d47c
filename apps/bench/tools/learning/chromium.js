// The measurement of learning in a page of a headless chromium, isolated, so that wasm has threads.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { build } from "vite";
import { findEngine, serveFolder } from "../../dist/engines/index.js";

/** @param onCase gets each case's result */
export async function inChromium({ cases, calls, onCase }) {
  const folder = await mkdtemp(join(tmpdir(), "heed-learning-"));
  await build({
    configFile: fileURLToPath(new URL("../../vite.config.ts", import.meta.url)),
    root: fileURLToPath(new URL("page", import.meta.url)),
    build: { outDir: folder },
    logLevel: "warn",
  });
  const served = await serveFolder(folder, { port: 0, isolated: true });
  const browser = await chromium.launch({
    executablePath: findEngine("chromium"),
    args: ["--no-sandbox"],
  });
  try {
    const page = await browser.newPage();
    page.on("pageerror", (error) => console.error(error));
    await page.exposeFunction("onCase", onCase);
    await page.goto(served.url);
    await page.waitForFunction("globalThis.measure");
    await page.evaluate((asked) => globalThis.measure(asked), { cases, calls });
  } finally {
    await browser.close();
    await served.close();
    await rm(folder, { recursive: true });
  }
}
