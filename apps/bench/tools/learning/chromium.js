// The measurement of learning in a page of a headless chromium, isolated, so that wasm has threads.
import { onBuiltPage } from "../built-page.js";

/** @param onCase gets each case's result */
export function inChromium({ cases, calls, onCase }) {
  return onBuiltPage(new URL("page", import.meta.url), async (browser, url) => {
    const page = await browser.newPage();
    page.on("pageerror", (error) => console.error(error));
    await page.exposeFunction("onCase", onCase);
    await page.goto(url);
    await page.waitForFunction("globalThis.measure");
    await page.evaluate((asked) => globalThis.measure(asked), { cases, calls });
  });
}
