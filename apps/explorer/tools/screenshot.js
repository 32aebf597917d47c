// `node apps/explorer/tools/screenshot.js`: takes apps/explorer/screenshot.png anew, in chromium. Needs a build of the
// packages.
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { serveBuilt, softwareGpu } from "./built-page.js";

const served = await serveBuilt();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
  args: softwareGpu,
});
try {
  const page = await browser.newPage({ viewport: { width: 900, height: 1010 } });
  const model = "model=./model/recogniser.onnx&site=1&siteHead=1&query=11";
  await page.goto(`${served.address}?view=model&backend=wasm&${model}`);
  await page.waitForSelector("#attended", { timeout: 120_000 });
  // Again: the first run loads the runtime and the model, which the time on the page should not be of.
  await page.click(".model-form [type=submit]");
  await page.waitForLoadState("networkidle");
  const path = fileURLToPath(new URL("../screenshot.png", import.meta.url));
  await page.screenshot({ path });
  console.log(`wrote ${path}, from ${page.url()}`);
} finally {
  await browser.close();
  await served.close();
}
