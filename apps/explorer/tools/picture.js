// `node apps/explorer/tools/picture.js [--all FOLDER]`: takes the README's picture of the explorer anew, in chromium; with
// `--all`, pictures of every view into a folder instead, on a phone, a tablet and a desktop, light and dark. Needs a
// build of the packages.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { serveBuilt } from "./built-page.js";

/** Addresses of the views, in states that show what each of them has. */
const views = {
  explain: "?step=6&backend=wasm",
  explore: "?view=explore&backend=wasm&layer=1&head=2&second=Time+flies+like+an+arrow",
  long: "?view=long&backend=wasm",
  model: "?view=model&model=./model/recogniser.onnx&backend=wasm&site=1&siteHead=1&query=11",
  masks: "?view=masks&mask=longformer&scores=swin",
};

const sizes = {
  phone: { width: 390, height: 844 },
  tablet: { width: 1024, height: 768 },
  desktop: { width: 1440, height: 900 },
};

const { values } = parseArgs({ options: { all: { type: "string" } } });

/**
 * Takes a picture of a view whose result is there.
 *
 * @param {import("playwright-core").Browser} browser
 * @param {string} address
 * @param {import("playwright-core").BrowserContextOptions} options
 * @param {{ path: string, fullPage: boolean }} picture
 */
async function take(browser, address, options, picture) {
  const context = await browser.newContext(options);
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(120_000);
    await page.goto(address);
    // Masks are computed with the page.
    if (!address.includes("view=masks")) {
      await page.waitForFunction(() =>
        /^Computed by/.test(document.querySelector("#status")?.textContent ?? ""),
      );
    }
    if (address.includes("view=model")) {
      // Again: the time on the page should not be that of loading the runtime and the model.
      await page.fill("#words", "HEED");
      await page.click(".model-form [type=submit]");
      await page.waitForFunction(() => document.querySelector("#read")?.textContent === "HEED");
      await page.fill("#words", "HEED 2026");
      await page.click(".model-form [type=submit]");
      await page.waitForFunction(
        () => document.querySelector("#read")?.textContent === "HEED 2026",
      );
    }
    if (address.includes("view=long")) {
      await page.hover(".map-frame", { position: { x: 120, y: 90 } });
      await page.waitForFunction(() =>
        /%/.test(document.querySelector("#cell")?.textContent ?? ""),
      );
    }
    await page.screenshot(picture);
    console.log(`wrote ${picture.path}`);
  } finally {
    await context.close();
  }
}

const served = await serveBuilt();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
try {
  if (values.all === undefined) {
    const path = fileURLToPath(new URL("../screenshot.png", import.meta.url));
    const viewport = { width: 900, height: 1010 };
    await take(browser, `${served.address}${views.model}`, { viewport }, { path, fullPage: false });
  } else {
    await mkdir(values.all, { recursive: true });
    for (const [view, query] of Object.entries(views)) {
      for (const [size, viewport] of Object.entries(sizes)) {
        for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
          const path = join(values.all, `${view}-${size}-${colorScheme}.png`);
          const options = { viewport, colorScheme };
          await take(browser, `${served.address}${query}`, options, { path, fullPage: true });
        }
      }
    }
  }
} finally {
  await browser.close();
  await served.close();
}
