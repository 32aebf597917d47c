import { existsSync } from "node:fs";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type DeviceReport,
  deviceReportToJson,
  parseDeviceReport,
  reportFromFragment,
  reportToFragment,
} from "@heed/conformance/device-report";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type ServedPage, serveFolder } from "../src/engines/serve.js";

/** The benchmark's page and the suite's on one origin, as the site has them, in a real browser. */
const executablePath = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";
const benchPage = fileURLToPath(new URL("../dist/page", import.meta.url));
const required = (process.env.HEED_REQUIRE ?? "").split(",").includes("chromium");
const here = existsSync(executablePath) && existsSync(benchPage);

test.runIf(!here)("the pages are tested", () => {
  if (required) throw new Error(`no chromium at ${executablePath}, or no dist/page: build`);
});

describe.runIf(here)("device reports in pages", { timeout: 120_000 }, () => {
  let browser: Browser;
  let site: ServedPage;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "heed-pages-"));
    const root = fileURLToPath(new URL("../../conformance", import.meta.url));
    const outDir = join(folder, "conformance");
    await build({ root, logLevel: "warn", build: { outDir, emptyOutDir: true } });
    await cp(benchPage, join(folder, "bench"), { recursive: true });
    site = await serveFolder(folder, { port: 0, isolated: true });
    browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    await site?.close();
    await rm(folder, { recursive: true });
  });

  async function open(
    path: string,
    options: BrowserContextOptions = {},
    other: Browser = browser,
  ): Promise<Page> {
    const context = await other.newContext(options);
    onTestFinished(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    await page.goto(`${site.url}${path}`);
    return page;
  }

  test("what both pages find becomes one file and one link", async () => {
    const page = await open(
      "bench/?cases=sweep-length-16&backends=js&samples=1&ceiling=false&run",
      { permissions: ["clipboard-read", "clipboard-write"] },
    );
    const share = page.locator(".share");
    await share.getByText("times of 1 case of the benchmark").waitFor();
    expect(await share.textContent()).toContain("nothing of the conformance suite");
    await share.getByLabel("Name of this device").fill("Abacus <b>9000</b>");
    await page.keyboard.press("Enter");

    await page.goto(`${site.url}conformance/?backend=js&profile=behaviour&start`);
    await share
      .getByText(/results of \d+ cases of the conformance suite on js; times of 1 case/)
      .waitFor();
    const [saved] = await Promise.all([
      page.waitForEvent("download"),
      share.getByRole("button", { name: "Export for others" }).click(),
    ]);
    const report = parseDeviceReport(await readFile(await saved.path(), "utf8"));
    expect(report).toMatchObject({
      device: "Abacus <b>9000</b>",
      environment: { engine: "chromium", notes: [expect.stringMatching(/^no /)] },
      conformance: [{ backend: "js", profiles: { behaviour: { fail: 0 } } }],
      benchmark: { cases: [{ id: "sweep-length-16", results: [{ status: "measured" }] }] },
    });
    await share.getByRole("button", { name: "Copy link" }).click();
    await share.getByText("Copied").waitFor();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    const { origin, pathname, hash } = new URL(link);
    expect(`${origin}${pathname}`).toBe(`${site.url}conformance/`);
    expect(await reportFromFragment(hash)).toEqual(report);

    // One case is not what a device does: it does not take the place of the whole profile.
    await page.goto(`${site.url}conformance/?backend=js&case=core/causal`);
    await page.getByText("Done: nothing failed.").waitFor();
    await share.getByText("results of 23 cases").waitFor();

    // Elsewhere, where nothing is stored, either page opens the link.
    for (const name of ["conformance", "bench"]) {
      const other = await open(`${name}/${hash}`);
      const shown = other.locator(".device-report");
      await shown.getByText("Not measured here").waitFor();
      expect(await shown.textContent()).toContain("Abacus <b>9000</b>");
      expect(await shown.locator("tbody th").allTextContents()).toEqual(["js", "sweep-length-16"]);
      expect(await other.locator(".share").count()).toBe(0);
    }
  });

  test("the switch lets WebGPU measure its kernels, and the file for others has the table", async () => {
    const own = encodeURIComponent(JSON.stringify([{ shape: "B1,H1,Lq3,Lk150,D16", id: "mine" }]));
    const query = `?own=${own}&backends=webgpu&samples=1&ceiling=false`;
    const withGpu = await chromium.launch({
      executablePath,
      args: ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"],
    });
    onTestFinished(() => withGpu.close());
    const page = await open(`bench/${query}`, {}, withGpu);
    const tuned = page.getByRole("checkbox", { name: /^let webgpu measure/ });
    expect(await tuned.isChecked()).toBe(false);
    await tuned.check();
    const budgetOf = () => new URL(page.url()).searchParams.get("tune");
    expect(budgetOf()).toBe("1000");
    // A link and a reload bring it back.
    await page.reload();
    await page.waitForSelector(".capabilities");
    expect(await tuned.isChecked()).toBe(true);
    await tuned.uncheck();
    expect(budgetOf()).toBe(null);

    // More than the usual second, which a busy machine may need for the rule's choice alone.
    await page.goto(`${site.url}bench/${query}&tune=20000`);
    await page.waitForSelector(".capabilities");
    expect(await tuned.isChecked()).toBe(true);
    await page.click("button.run");
    const share = page.locator(".share");
    await share.getByText("times of 1 case of the benchmark").waitFor();
    const [saved] = await Promise.all([
      page.waitForEvent("download"),
      share.getByRole("button", { name: "Export for others" }).click(),
    ]);
    const { tuning, benchmark } = parseDeviceReport(await readFile(await saved.path(), "utf8"));
    expect(benchmark?.cases).toMatchObject([{ id: "mine", results: [{ status: "measured" }] }]);
    expect(tuning).toMatchObject({
      format: "heed-webgpu-tuning",
      device: { vendor: "google", architecture: "swiftshader" },
    });
    const choices = Object.entries(tuning?.choices as object);
    expect(choices).toEqual([
      [
        expect.stringMatching(/^float32 b1 h1\/1 /),
        {
          gain: expect.any(Number),
          settings: expect.objectContaining({ kernel: expect.any(String) }),
        },
      ],
    ]);
  });

  test("a hostile or damaged link is a sentence, and a later one takes its place", async () => {
    const page = await open("conformance/#report=AAAA");
    const alert = page.getByRole("alert");
    await alert.getByText("The address holds no report that can be shown.").waitFor();
    expect(await alert.textContent()).toContain("expected compressed text");
    const hash = await reportToFragment(wide);
    await page.evaluate((next) => {
      location.hash = next;
    }, hash);
    await page.locator(".device-report").waitFor();
    expect(await alert.count()).toBe(0);
    // Text of strangers stays text.
    expect(await page.locator(".device-report img").count()).toBe(0);
    expect(await page.locator(".device-report").textContent()).toContain(hostile);
  });

  test("the benchmark's page opens the file, and says whose it is", async () => {
    const page = await open("bench/");
    const buffer = Buffer.from(deviceReportToJson(wide));
    const input = page.locator("input[type=file]");
    await input.setInputFiles({ name: "theirs.json", mimeType: "application/json", buffer });
    const origin = page.locator(".device-report .origin");
    await origin.waitFor();
    expect(await origin.textContent()).toContain("from the file theirs.json");
    const newer = Buffer.from(JSON.stringify({ ...wide, version: 2 }));
    await input.setInputFiles({ name: "newer.json", mimeType: "application/json", buffer: newer });
    await page.getByText("newer.json is not a result file: report.version: expected 1").waitFor();
  });

  test.each([
    ["light", 1280],
    ["dark", 1280],
    ["light", 360],
  ] as const)(
    "%s, %i pixels wide: nothing is cut off, and axe finds nothing",
    async (scheme, width) => {
      const page = await open(`conformance/${await reportToFragment(wide)}`, {
        colorScheme: scheme,
        viewport: { width, height: 800 },
      });
      await page.locator(".device-report").waitFor();
      expect(
        await page.evaluate(() => document.documentElement.scrollWidth - innerWidth),
      ).toBeLessThanOrEqual(0);
      await page.addScriptTag({ path: createRequire(import.meta.url).resolve("axe-core") });
      const violations = await page.evaluate(async () => {
        const { axe } = globalThis as unknown as { axe: typeof import("axe-core") };
        const { violations: found } = await axe.run();
        return found.map(
          ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html)}`,
        );
      });
      expect(violations).toEqual([]);
    },
  );
});

const hostile = "<img src=x onerror=alert(1)>";

/** A report with a failure, a refusal, long words and markup in its texts. */
const wide: DeviceReport = {
  ...{ format: "heed-device", version: 1, created: "2026-11-29T12:00:00.000Z", device: hostile },
  environment: {
    ...{ engine: "firefox", versions: { firefox: "153.8" }, platform: "linux x64" },
    ...{ cpu: "x".repeat(120), cores: 8, memory: 2 ** 34, notes: [hostile] },
  },
  conformance: [
    {
      backend: "webgpu",
      unavailable: null,
      info: { runtime: "WebGPU", device: hostile, features: ["shader-f16"], threads: 1 },
      profiles: { core: { pass: 80, fail: 1, "known-failure": 0, unsupported: 2 } },
      failures: [
        { id: "core/causal", outcome: "fail", messages: [hostile], explanations: ["y".repeat(90)] },
      ],
      failuresLeftOut: 3,
      refusals: [{ code: "dtype", message: "WGSL has no float64", cases: 2 }],
    },
    {
      ...{ backend: "wasm", unavailable: { reason: "no SIMD" }, info: null, profiles: {} },
      ...{ failures: [], failuresLeftOut: 0, refusals: [] },
    },
  ],
  benchmark: {
    ...{ date: "2026-11-29T12:00:00.000Z", dtype: "float32", threads: 1, casesLeftOut: 2 },
    contenders: [
      { name: "webgpu", kind: "backend", info: null, unavailable: null },
      { name: "wasm", kind: "backend", info: null, unavailable: "no SIMD" },
    ],
    cases: [
      {
        ...{ id: "bert-base-512", title: "text", operation: "attention", flops: 8e8, bytes: 6e6 },
        results: [
          { contender: "webgpu", status: "measured", median: 20, p25: 19, p75: 21, count: 9 },
        ],
      },
    ],
  },
  tuning: { format: "heed-webgpu-tuning", version: 1 },
};
