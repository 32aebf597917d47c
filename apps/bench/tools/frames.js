// `node apps/bench/tools/frames.js [--seconds 3]`: does a page of chromium go on drawing while a call takes seconds, on
// the page itself and in a worker, and how soon does abort end such a call? Needs a build.
import { parseArgs } from "node:util";
import { onBuiltPage } from "./built-page.js";

const { values } = parseArgs({ options: { seconds: { type: "string", default: "3" } } });
const seconds = Number(values.seconds);

await onBuiltPage(new URL("frames/page", import.meta.url), async (browser, url) => {
  for (const backend of ["wasm", "js"]) {
    for (const worker of [true, false]) {
      const page = await browser.newPage();
      await page.goto(url);
      await page.waitForFunction("globalThis.measure");
      const { length, idle, during, abort } = await page.evaluate(
        (asked) => globalThis.measure(asked),
        { backend, worker, seconds },
      );
      const frames = (of) =>
        `${of.perSecond.toFixed(1)} frames a second, ${of.longest.toFixed(0)} ms at most between two`;
      console.log(
        `${backend}, ${worker ? "in a worker" : "on the page"}: a call of ${length} queries and keys, ${during.seconds.toFixed(2)} s: ${frames(during)} (idle: ${frames(idle)})`,
      );
      if (abort !== null) {
        console.log(
          `  abort rejects after ${abort.rejected.toFixed(1)} ms; a call of 512 after it is done ${abort.next.toFixed(0)} ms after the abort`,
        );
      }
      await page.close();
    }
  }
});
