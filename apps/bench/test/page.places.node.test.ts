import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type BackendRecommendation, createAttention, reference } from "@heed/core";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { bert } from "../../../packages/splice/test/models/encoders.js";
import { withWeightsOutside } from "../../../packages/splice/test/models/outside.js";
import { main } from "../src/cli/main.js";
import { servePage } from "../src/cli/serve.js";
import type { ServedPage } from "../src/engines/serve.js";
import { parseReport } from "../src/report/parse.js";
import { madeUp } from "./reports.js";

/**
 * The page that was built, in a real browser. What it measures is not looked at here, since a busy
 * machine may be slow.
 */
const executablePath = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";
const built = existsSync(fileURLToPath(new URL("../dist/page/index.html", import.meta.url)));
const required = (process.env.HEED_REQUIRE ?? "").split(",").includes("chromium");
const here = existsSync(executablePath) && built;

test.runIf(!here)("the page is tested", () => {
  if (required) throw new Error(built ? `no chromium at ${executablePath}` : "no dist/page: build");
});

describe.runIf(here)("the page", { timeout: 120_000 }, () => {
  let browser: Browser;
  let isolated: ServedPage;
  let plain: ServedPage;

  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath,
      args: ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"],
    });
    isolated = await servePage({ port: 0, isolated: true });
    plain = await servePage({ port: 0, isolated: false });
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    await isolated?.close();
    await plain?.close();
  });

  async function open(
    query: string,
    { from = isolated, in: other = browser, ...options }: OpenOptions = {},
  ): Promise<Page> {
    const context = await other.newContext(options);
    onTestFinished(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    await page.goto(`${from.url}${query}`);
    await page.waitForSelector(".capabilities");
    return page;
  }

  test("measures what it is told, shows it, and saves it", async () => {
    const page = await open(
      "?cases=text-recogniser-block1,sweep-length-16,sweep-length-32&backends=js,wasm&peers=naive&budget=10&ceiling=false",
    );
    await page.click("button.run");
    await page.waitForSelector("progress");
    await measured(page);
    const rows = await page.$$eval(".results tbody tr th", (cells) =>
      cells.map((cell) => cell.textContent),
    );
    expect(rows.filter((row) => row?.startsWith("wasm"))).toHaveLength(3);
    expect(await page.locator(".chart h3").allTextContents()).toEqual([
      "All cases",
      "By length",
      "Error",
    ]);
    expect(await page.locator(".chart-frame svg").count()).toBeGreaterThanOrEqual(3);
    const report = await saved(page);
    expect(report.cases.map(({ id }) => id)).toContain("text-recogniser-block1");
    expect(report.cases.flatMap(({ results }) => results.map(({ status }) => status))).toEqual(
      Array(9).fill("measured"),
    );
    expect(report.environments).toMatchObject([{ name: "chromium" }]);
    expect(report).not.toHaveProperty("interrupted");
  });

  test("a model is opened together with the files in which its weights are", async () => {
    const page = await open("?backends=js&budget=5&ceiling=false");
    const file = (name: string, bytes: Uint8Array) => ({
      ...{ name, mimeType: "application/octet-stream" },
      buffer: Buffer.from(bytes),
    });
    const { bytes, files } = withWeightsOutside(bert().bytes, ["mine.onnx_data"]);
    await page.setInputFiles("input[type=file]", [file("mine.onnx", bytes)]);
    await page.fill("#model-sizes", "batch=2,length=5");
    await page.click("button.run");
    await page.waitForSelector("text=weights of mine.onnx are in the file mine.onnx_data");
    await page.setInputFiles("input[type=file]", [
      file("mine.onnx_data", files.get("mine.onnx_data") as Uint8Array),
      file("mine.onnx", bytes),
    ]);
    await page.click("button.run");
    await measured(page);
    const report = await saved(page);
    expect(report.cases.map(({ suite }) => suite)).toEqual(["model", "model"]);
    for (const { results } of report.cases) {
      expect(results.map(({ status }) => status)).toEqual(["measured", "measured"]);
    }
  });

  test("a model that is opened is measured in the page, site by site", async () => {
    const page = await open("?backends=js,wasm&budget=5&ceiling=false");
    await page.setInputFiles("input[type=file]", {
      name: "mine.onnx",
      mimeType: "application/octet-stream",
      buffer: Buffer.from(bert().bytes),
    });
    await page.fill("#model-sizes", "batch=2,length=5");
    expect(page.url()).not.toContain("blob");
    await page.click("button.run");
    await measured(page);
    const report = await saved(page);
    expect(report.cases.map(({ suite }) => suite)).toEqual(["model", "model"]);
    for (const { results } of report.cases) {
      expect(results.map(({ contender, status }) => `${contender} ${status}`)).toEqual([
        "onnxruntime measured",
        "js measured",
        "wasm measured",
      ]);
    }
    expect(await page.textContent(".advice")).toContain("times as fast as the model's own nodes");

    await page.setInputFiles("input[type=file]", {
      name: "broken.onnx",
      mimeType: "application/octet-stream",
      buffer: Buffer.from(bert().bytes.subarray(0, 900)),
    });
    await page.click("button.run");
    const alert = page.getByRole("alert").filter({ hasText: "The run failed" });
    expect(await alert.textContent()).toContain("the file ends after 900 bytes");
  });

  test("the URL alone can start it, with the machine's ceiling and a shape of one's own", async () => {
    const own = encodeURIComponent(JSON.stringify([{ shape: "H2,L8,D4,causal", id: "mine" }]));
    const page = await open(`?own=${own}&backends=js&budget=5&run`);
    await measured(page);
    const report = await saved(page);
    expect(report.cases.map(({ id }) => id)).toEqual(["mine"]);
    expect(report.environments[0]?.ceiling?.arithmetic[0]?.features).toBe("simd128");
    expect(await page.locator(".chart h3").allTextContents()).toContain("Roofline");
  });

  test("a peer on WebGPU is measured by the GPU's clock, too", async () => {
    const page = await open(
      "?own=[%22H1,L8,D8%22]&backends=webgpu&peers=ort-web-webgpu/matmul&samples=2&ceiling=false&run",
    );
    await measured(page);
    const report = await saved(page);
    expect(report.contenders.map(({ status }) => status)).toEqual(["ready", "ready"]);
    expect(report.cases[0]?.results).toMatchObject([
      { contender: "webgpu", status: "measured", clock: "gpu timestamps" },
      { contender: "ort-web-webgpu/matmul", status: "measured", clock: "gpu timestamps" },
    ]);
  });

  test("stays usable while it measures, and stops when told to", async () => {
    const page = await open("?cases=sweep-length&backends=js&budget=20000&ceiling=false");
    await page.click("button.run");
    await page.waitForFunction(() => document.querySelector("progress") !== null);
    // The page answers while a case is under way.
    await page.waitForFunction(() => /timing/.test(document.body.textContent ?? ""));
    await page.click("text=Cancel");
    await page.waitForSelector("button.run");
    expect(await page.locator("progress").count()).toBe(0);
  });

  test("a report is opened and compared with another, the older first", async () => {
    const page = await open("");
    const dated = (date: string, wasm: number) => {
      const report = madeUp({ seed: date, contenders: { js: 4, wasm }, cases: 14 });
      return { ...report, environments: report.environments.map((e) => ({ ...e, date })) };
    };
    await give(page, "new.json", dated("2026-02-01T00:00:00.000Z", 1.25));
    await page.waitForSelector(".results");
    await give(page, "old.json", dated("2026-01-01T00:00:00.000Z", 1));
    const verdicts = page.locator(".verdicts li");
    await verdicts.first().waitFor();
    expect(await verdicts.allTextContents()).toEqual([
      expect.stringMatching(/^noise js/),
      expect.stringMatching(/^SLOWER wasm: 2\d\.\d % longer \(.+ to .+ %\) over 14 cases/),
    ]);
    await page.click("text=End the comparison");
    expect(await verdicts.count()).toBe(0);
    await give(page, "broken.json", { format: "trace" });
    const alert = page.locator("[role=alert]");
    expect(await alert.textContent()).toContain("broken.json is not a result file: report.format");
    await give(page, "old.json", { format: "heed-bench", version: 1 });
    await alert.getByText("report.version: expected 2").waitFor();
    await give(page, "cut.json", "[");
    await alert.getByText("cut.json is not a result file").waitFor();
    // The report that was shown before is still shown.
    expect(await page.locator(".results").count()).toBe(1);
  });

  test("a report of others says whose it is, and one's own does not", async () => {
    const report = madeUp({ seed: "theirs", contenders: { js: 4, wasm: 1 } });
    const page = await open("");
    await page.route("**/theirs.json", (route) => route.fulfill({ json: report }));
    await page.goto(`${isolated.url}?report=${encodeURIComponent(`${isolated.url}theirs.json`)}`);
    const origin = page.locator(".origin");
    await origin.waitFor();
    expect(await origin.textContent()).toContain(`numbers of ${isolated.url}theirs.json`);
    expect(await origin.textContent()).toContain("Abacus 9000, 2 cores");
    expect(await page.textContent("#advice")).toBe("What to use where this was measured");
    // The page's own measurements replace it.
    await page.goto(
      `${isolated.url}?cases=sweep-length-16&backends=js&samples=1&ceiling=false&run`,
    );
    await measured(page);
    expect(await origin.count()).toBe(0);
    expect(await page.textContent("#advice")).toBe("What to use here");
  });

  test("what a run brings is scrolled to, and can be copied", async () => {
    const page = await open("?cases=sweep-length-16&backends=js&samples=1&ceiling=false", {
      viewport: { width: 900, height: 500 },
      permissions: ["clipboard-read", "clipboard-write"],
      reducedMotion: "reduce",
    });
    await page.click("button.run");
    await measured(page);
    await page.waitForFunction(() => scrollY > 100);
    const top = await page.evaluate(
      () => document.getElementById("report")?.getBoundingClientRect().top,
    );
    expect(top).toBeLessThan(100);
    await page.click(".advice .panel-head button");
    await page.getByText("Copied").waitFor();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    expect(copied).toMatch(
      /^to use in chromium, for calls on tensors in JavaScript's memory:\n {2}prefill: js/,
    );
  });

  test("a single case is found by a part of its name", async () => {
    const page = await open("?cases=real");
    await page.click("text=Single cases");
    await page.getByLabel("A case by its name").fill("bert-base");
    await page.keyboard.press("Enter");
    await page.getByText(/^\d have “bert-base” in their names/).waitFor();
    await page.getByLabel("A case by its name").fill("minilm-l6-256");
    await page.keyboard.press("Enter");
    expect(new URL(page.url()).searchParams.get("cases")).toBe("real,minilm-l6-256");
    await page.getByRole("button", { name: "Remove minilm-l6-256" }).click();
    expect(new URL(page.url()).searchParams.get("cases")).toBe("real");
  });

  test("on a phone a long report is folded, and what is open is not cut", async () => {
    const page = await open("", { viewport: { width: 360, height: 800 } });
    const contenders = Object.fromEntries(
      Array.from({ length: 14 }, (_, i) => [`ort-node/contender-${i}`, 1 + i]),
    );
    await give(page, "one.json", madeUp({ seed: "one", contenders, cases: 14 }));
    await page.waitForSelector(".folded");
    expect(await page.locator(".folded").count()).toBe(14);
    expect(await page.locator("table.results").count()).toBe(1);
    const scrolls = await page.$$eval(".cases .scroll", (all) =>
      all.map((one) => one.scrollWidth - one.clientWidth),
    );
    expect(scrolls).toEqual([0]);
    expect(await page.evaluate(() => document.documentElement.scrollHeight)).toBeLessThan(9000);
    await page.locator(".folded summary").nth(1).click();
    // The table is drawn once the browser has said that the fold is open.
    await expect.poll(() => page.locator("table.results").count()).toBe(2);
    // Each contender has a look of its own, and no label of a plot leaves its frame.
    const looks = await page.$$eval(".legend svg path", (all) =>
      all.map((one) => one.getAttribute("fill")),
    );
    expect(new Set(looks).size).toBe(14);
    const outside = await page.$$eval(".chart-frame svg", (all) =>
      all.flatMap((svg) => {
        const frame = svg.getBoundingClientRect();
        return [...svg.querySelectorAll("text")]
          .map((text) => ({ text: text.textContent, box: text.getBoundingClientRect() }))
          .filter(({ box }) => box.left < frame.left - 1 || box.right > frame.right + 1)
          .map(({ text }) => text);
      }),
    );
    expect(outside).toEqual([]);
  });

  test("a file can be dropped anywhere", async () => {
    const page = await open("");
    const text = JSON.stringify(madeUp({ seed: "dropped", contenders: { js: 4 } }));
    const transfer = await page.evaluateHandle((content) => {
      const held = new DataTransfer();
      held.items.add(new File([content], "dropped.json"));
      return held;
    }, text);
    await page.dispatchEvent("footer", "drop", { dataTransfer: transfer });
    await page.waitForSelector(".results");
  });

  test("what is chosen is in the URL, and comes back with it", async () => {
    const page = await open("");
    const suite = page.getByRole("checkbox", { name: /^sweep-cache ?\d$/ });
    await suite.check();
    await page.getByLabel("webgpu", { exact: true }).uncheck();
    await page.getByLabel("A shape of your own").fill("H2,L8,D4");
    await page.getByRole("button", { name: "Add" }).click();
    await page.getByLabel("Inputs").selectOption("float16");
    const before = new URL(page.url()).searchParams;
    expect(before.get("cases")).toBe("standard,sweep-cache");
    await page.reload();
    await page.waitForSelector(".capabilities");
    expect(await suite.isChecked()).toBe(true);
    expect(await page.getByLabel("webgpu", { exact: true }).isChecked()).toBe(false);
    expect(await page.textContent(".chips")).toContain("B1,H2,L8,D4");
    expect(await page.getByLabel("Inputs").inputValue()).toBe("float16");
    // A shape that is none says so where it was typed.
    await page.getByLabel("A shape of your own").fill("H2,L8");
    await page.getByRole("button", { name: "Add" }).click();
    expect(await page.textContent("#own-help")).toContain("expected D");
  });

  test("a URL that asks for what there is not says so", async () => {
    const page = await open("?backends=cuda&run");
    expect(await page.textContent("[role=alert]")).toContain("unknown backends cuda");
    expect(await page.locator("progress").count()).toBe(0);
  });

  test("without isolation it works on one thread, and says why", async () => {
    const page = await open(
      "?cases=sweep-length-16&backends=wasm&threads=2&budget=5&ceiling=false&run",
      { from: plain },
    );
    await measured(page);
    expect(await page.textContent(".capabilities")).toContain("not cross-origin isolated");
    const report = await saved(page);
    expect(report.contenders[0]?.info?.threads).toBe(1);
    expect(report.contenders[0]?.info?.notes).not.toEqual([]);
    expect(report.cases[0]?.results[0]?.status).toBe("measured");
    expect(report.environments[0]?.notes?.join()).toContain("no wasm threads");
  });

  test("without WebGPU the others are measured, and it says why", async () => {
    const other = await chromium.launch({
      executablePath,
      args: ["--no-sandbox", "--disable-features=WebGPU", "--disable-blink-features=WebGPU"],
    });
    onTestFinished(() => other.close());
    const query = "?cases=sweep-length-16&backends=webgpu,js&budget=5&ceiling=false&run";
    const page = await open(query, { in: other });
    await measured(page);
    expect(await page.textContent(".capabilities")).toMatch(/no GPU adapter|no navigator.gpu/);
    // Asked for by name, it stays chosen; else it is not.
    expect(await page.getByLabel(/^webgpu/).isChecked()).toBe(true);
    const plainPage = await open("", { in: other });
    await plainPage.getByText("missing here").first().waitFor();
    expect(await plainPage.getByLabel(/^webgpu/).isChecked()).toBe(false);
    expect(await plainPage.getByLabel("js", { exact: true }).isChecked()).toBe(true);
    const report = await saved(page);
    expect(report.contenders).toMatchObject([
      { name: "webgpu", status: "unavailable", reason: expect.stringMatching(/./) },
      { name: "js", status: "ready" },
    ]);
    expect(report.cases[0]?.results.map(({ contender }) => contender)).toEqual(["js"]);
  });

  test("a report of the command line opens from disk, comparison and all", async () => {
    const folder = await mkdtemp(join(tmpdir(), "heed-bench-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const [json, old, html] = ["new.json", "old.json", "report.html"].map((n) => join(folder, n));
    if (!json || !old || !html) throw new Error("unreachable");
    // A title that would end the script it stands in, were it written as it is.
    const report = madeUp({ seed: "now", contenders: { js: 4, wasm: 1 } });
    const cases = report.cases.map((c) => ({ ...c, title: "</script><b>bold</b>" }));
    await writeFile(json, JSON.stringify({ ...report, cases }));
    await writeFile(old, JSON.stringify(madeUp({ seed: "then", contenders: { js: 4, wasm: 1 } })));
    const log = vi.spyOn(console, "log").mockImplementation(() => {});
    onTestFinished(() => log.mockRestore());
    expect(await main(["--from", json, "--compare", old, "--html", html])).toBe(0);
    const context = await browser.newContext({ offline: true });
    onTestFinished(() => context.close());
    const page = await context.newPage();
    const requests: string[] = [];
    page.on("request", (request) => requests.push(request.url()));
    await page.goto(pathToFileURL(html).href);
    await page.waitForSelector(".results");
    expect(await page.locator(".chart-frame svg").count()).toBeGreaterThanOrEqual(3);
    expect(await page.locator(".verdicts li").count()).toBe(2);
    expect(await page.textContent(".case-title")).toBe("</script><b>bold</b>");
    expect(requests).toEqual([pathToFileURL(html).href]);
  });

  test("the command line puts its results beside its own, with a recommendation each", async () => {
    const folder = await mkdtemp(join(tmpdir(), "heed-bench-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = (name: string) => join(folder, name);
    for (const method of ["log", "error"] as const) {
      const spy = vi.spyOn(console, method).mockImplementation(() => {});
      onTestFinished(() => spy.mockRestore());
    }
    vi.spyOn(process.stderr, "write").mockImplementation(() => true);
    onTestFinished(() => void vi.restoreAllMocks());
    const args = "--chromium --cases sweep-length-16 --backends js --samples 2 --json".split(" ");
    const more = ["--recommendation", file("use.json")];
    expect(await main([...args, file("report.json"), ...more])).toBe(0);
    const report = parseReport(JSON.parse(await readFile(file("report.json"), "utf8")));
    expect(report.environments.map(({ name }) => name)).toEqual(["node", "chromium"]);
    expect(report.cases[0]?.results).toMatchObject([
      { contender: "js", status: "measured" },
      { contender: "chromium/js", status: "measured" },
    ]);
    for (const name of ["use.json", "use.chromium.json"]) {
      const select: unknown = JSON.parse(await readFile(file(name), "utf8"));
      expect(select).toMatchObject({ rules: [{ prefer: [{ backend: "js" }] }] });
      const attention = await createAttention({
        backends: [reference()],
        select: select as BackendRecommendation,
      });
      await attention.dispose();
    }
  });

  test("the keyboard alone is enough", async () => {
    const page = await open("?cases=sweep-length-16&backends=js&budget=5&ceiling=false");
    const reach = async (selector: string) => {
      for (let i = 0; i < 200; i++) {
        await page.keyboard.press("Tab");
        if (await page.evaluate((s) => document.activeElement?.matches(s), selector)) return i + 1;
      }
      throw new Error(`${selector} is not reached`);
    };
    expect(await reach("button.run")).toBeLessThan(5);
    await page.keyboard.press("Enter");
    await page.waitForSelector(".results");
    await measured(page);
    await reach(".legend button");
    const dots = page.locator(
      ".chart-frame :is(circle, path, rect):is([fill*=series], [stroke*=series])",
    );
    expect(await dots.count()).toBeGreaterThan(0);
    // The only one: what is left are empty plots.
    await page.keyboard.press("Space");
    expect(await page.getAttribute(".legend button", "aria-pressed")).toBe("false");
    expect(await dots.count()).toBe(0);
    await reach(".scroll");
  });

  test.each([
    ["light", 1280],
    ["dark", 1280],
    ["light", 360],
  ] as const)(
    "%s, %i pixels wide: nothing is cut off, and axe finds nothing",
    async (scheme, width) => {
      const page = await open("", { colorScheme: scheme, viewport: { width, height: 800 } });
      await give(page, "one.json", madeUp({ seed: "one", contenders: { js: 4, wasm: 1 } }));
      await give(page, "two.json", madeUp({ seed: "two", contenders: { js: 4, wasm: 1.3 } }));
      await page.waitForSelector(".verdicts");
      for (const summary of await page.locator("summary").all()) await summary.click();
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(overflow).toBeLessThanOrEqual(0);
      await page.addScriptTag({ path: createRequire(import.meta.url).resolve("axe-core") });
      const violations = await page.evaluate(async () => {
        const { axe } = globalThis as unknown as { axe: typeof import("axe-core") };
        const found = await axe.run();
        return found.violations.map(
          ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).slice(0, 3)}`,
        );
      });
      expect(violations).toEqual([]);
    },
  );
});

interface OpenOptions extends BrowserContextOptions {
  readonly from?: ServedPage;
  readonly in?: Browser;
}

/** Until the run is over. */
async function measured(page: Page): Promise<void> {
  await page.waitForSelector(".results");
  await page.waitForSelector("button.run");
}

async function saved(page: Page): Promise<ReturnType<typeof parseReport>> {
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.click("text=Save as JSON"),
  ]);
  return parseReport(JSON.parse(await readFile(await download.path(), "utf8")));
}

async function give(page: Page, name: string, content: unknown): Promise<void> {
  const buffer = Buffer.from(JSON.stringify(content));
  await page.setInputFiles("input[type=file]", { name, mimeType: "application/json", buffer });
}
