/** The page that was built, used by hand in each browser: what the suite finds there, engines.places says. */
import { readFile } from "node:fs/promises";
import {
  browserNames,
  findEngine,
  hasEngine,
  type OpenedPage,
  openPage,
  type ServedPage,
} from "@heed/bench/engines";
import { parseDeviceReport, reportToFragment } from "@heed/conformance/device-report";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
// @ts-expect-error a script without types
import { serveSuite } from "../tools/in-engine.js";

const required = (process.env.HEED_REQUIRE ?? "").split(",");

for (const name of browserNames) {
  test.runIf(!hasEngine(name))(`${name} is available`, ({ skip }) => {
    if (required.includes(name)) findEngine(name);
    skip(`no ${name}`);
  });
}

const browsers = browserNames.filter(hasEngine);
const reports = new URL("../../../reports/", import.meta.url);

describe.runIf(browsers.length > 0)("the page", { timeout: 180_000 }, () => {
  let served: ServedPage;
  beforeAll(async () => {
    served = await serveSuite();
  });
  afterAll(() => served?.close());

  describe.each(browsers)("in %s", (name) => {
    let page: OpenedPage;
    beforeAll(async () => {
      page = await openPage(name);
    });
    afterAll(() => page?.close());

    const seen = (expression: string) =>
      expect.poll(() => page.evaluate<boolean>(expression), { timeout: 60_000 }).toBe(true);

    test("runs the case that is asked for, and offers the report", async () => {
      await page.goto(`${served.url}?backend=js&filter=core/causal`);
      await seen("document.querySelector('button.run') !== null");
      await page.evaluate("document.querySelector('button.run').click()");
      await seen("document.querySelector('#status')?.textContent === 'Done: nothing failed.'");
      await seen("document.querySelector('a[download]')?.href.startsWith('blob:') === true");
    });

    test("shows the report in its address", async () => {
      const file = new URL("virtual-machine-2-cores-of-amd-epyc-firefox-153.json", reports);
      const report = parseDeviceReport(await readFile(file, "utf8"));
      await page.goto(`${served.url}${await reportToFragment(report)}`);
      await seen("document.querySelector('.device-report') !== null");
      const text = await page.evaluate<string>(
        "document.querySelector('.device-report').textContent",
      );
      expect(text).toContain(report.device);
      expect(text).toContain("bert-base-512");
    });
  });
});
