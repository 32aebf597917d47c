// `node apps/explorer/tools/frames.js [--backends wasm,js] [--length 4096] [--rounds 5]`: how long frames take while the
// map of a long text scrolls, and while nothing happens, in chromium. Needs a build of the packages.
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { serveBuilt, softwareGpu } from "./built-page.js";

const { values } = parseArgs({
  options: {
    backends: { type: "string", default: "wasm,js" },
    length: { type: "string", default: "4096" },
    rounds: { type: "string", default: "5" },
  },
});

/**
 * Scrolls by so many pixels in each of 120 frames.
 *
 * @returns milliseconds between frames, and of the page's own work in each
 */
async function scrollBy(/** @type {number} */ step) {
  const box = /** @type {HTMLElement} */ (document.querySelector(".map-frame"));
  const after = new MessageChannel();
  /** Resolves once the frame has been drawn: a message comes after it. */
  const drawn = () =>
    new Promise((resolve) => {
      after.port1.onmessage = resolve;
      after.port2.postMessage(0);
    });
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const [between, work] = [[], []];
  box.scrollTop = 0;
  let last = await frame();
  for (let i = 1; i <= 120; i++) {
    box.scrollTop = i * step;
    const now = await frame();
    const began = performance.now();
    await drawn();
    work.push(performance.now() - began);
    between.push(now - last);
    last = now;
  }
  return { between, work };
}

const sorted = (times) => times.toSorted((a, b) => a - b);
const at = (times, share) => sorted(times)[Math.floor(share * (times.length - 1))];
const told = (times) =>
  `median ${at(times, 0.5).toFixed(1)}, 95th percentile ${at(times, 0.95).toFixed(1)}, longest ${at(times, 1).toFixed(1)} ms`;

const served = await serveBuilt();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
  args: softwareGpu,
});
try {
  for (const backend of values.backends.split(",")) {
    for (let round = 1; round <= Number(values.rounds); round++) {
      const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
      await page.goto(`${served.address}?view=long&backend=${backend}&length=${values.length}`);
      await page.waitForSelector(".map-frame", { timeout: 120_000 });
      const devtools = await page.context().newCDPSession(page);
      await devtools.send("Performance.enable", { timeDomain: "threadTicks" });
      /** Seconds of processor time that the page's own thread has taken. */
      const processorTime = async () => {
        const { metrics } = await devtools.send("Performance.getMetrics");
        return metrics.find(({ name }) => name === "TaskDuration").value;
      };
      const idle = await page.evaluate(scrollBy, 0);
      const before = await processorTime();
      const scrolling = await page.evaluate(scrollBy, 60);
      const perFrame = (1000 * ((await processorTime()) - before)) / scrolling.between.length;
      const long = scrolling.between.filter((time) => time > 50).length;
      const load = loadavg()[0].toFixed(1);
      console.log(
        `${backend}, ${values.length} tokens, round ${round} (load ${load} on ${cpus().length} cores)\n` +
          `  between frames, scrolling: ${told(scrolling.between)}; ${long} of ${scrolling.between.length} over 50 ms\n` +
          `  between frames, at rest:   ${told(idle.between)}\n` +
          `  from a frame to its end:   ${told(scrolling.work)}; at rest ${told(idle.work)}\n` +
          `  processor time of the page's thread: ${perFrame.toFixed(1)} ms a frame`,
      );
      await page.close();
    }
  }
} finally {
  await browser.close();
  await served.close();
}
