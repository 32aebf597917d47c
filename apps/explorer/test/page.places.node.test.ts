import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { whisper } from "../../../packages/splice/test/models/decoders.js";
import { withWeightsOutside } from "../../../packages/splice/test/models/outside.js";
// @ts-expect-error a script without types
import { serveBuilt, softwareGpu } from "../tools/built-page.js";

/** The page as it is built, under a path that is not the root, in a real browser. */
const executablePath = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";
const required = (process.env.HEED_REQUIRE ?? "").split(",").includes("chromium");
const here = existsSync(executablePath);
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

test.runIf(!here)("the page is tested", () => {
  if (required) throw new Error(`no chromium at ${executablePath}`);
});

/** Collects the bytes of each array that the page's worker answers with. */
async function countAnswers(page: Page, answers: number[]): Promise<void> {
  await page.exposeFunction("answered", (bytes: number) => answers.push(bytes));
  await page.addInitScript(() => {
    const Own = Worker;
    globalThis.Worker = class extends Own {
      constructor(...args: ConstructorParameters<typeof Own>) {
        super(...args);
        this.addEventListener("message", ({ data }: MessageEvent<{ result?: unknown }>) => {
          const result = data.result as Partial<Float32Array> | undefined;
          const { answered } = globalThis as unknown as { answered(bytes: number): void };
          if (result?.byteLength) answered(result.byteLength);
        });
      }
    };
  });
}

describe.runIf(here)("the page", { timeout: 300_000 }, () => {
  let browser: Browser;
  let served: { readonly address: string; close(): Promise<void> };
  let address: string;

  beforeAll(async () => {
    served = await serveBuilt();
    ({ address } = served);
    browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await served?.close();
  });

  async function open(query: string, options: BrowserContextOptions = {}): Promise<Page> {
    const page = await ready(query, options);
    await computed(page);
    return page;
  }

  async function ready(
    query: string,
    options: BrowserContextOptions = {},
    { on = browser, prepare }: { readonly on?: Browser; prepare?(page: Page): Promise<void> } = {},
  ): Promise<Page> {
    const context = await on.newContext(options);
    onTestFinished(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    page.on("pageerror", (error) => console.error(error));
    await prepare?.(page);
    await page.goto(`${address}${query}`);
    return page;
  }

  async function computed(page: Page, backend = "(?:webgpu|wasm|js)"): Promise<void> {
    await page.waitForFunction(
      (pattern) => new RegExp(pattern).test(document.querySelector("#status")?.textContent ?? ""),
      `^Computed by ${backend}$`,
    );
  }

  const words = (page: Page) => page.locator(".words .word").allTextContents();
  const shares = async (page: Page) =>
    (await page.locator(".words .share").allTextContents()).map((text) => Number.parseFloat(text));

  test("a sentence is typed, a word pointed at, a backend chosen; the address brings all back", async () => {
    const page = await open("?backend=wasm");
    expect(await words(page)).toContain("robot");
    expect(await page.textContent("#attends")).toContain("it");

    await page.fill("#sentence", "The old dog sleeps");
    await page.click(".sentence-form [type=submit]");
    await page.waitForFunction(() =>
      /dog/.test(document.querySelector(".words")?.textContent ?? ""),
    );
    expect((await words(page)).join("")).toBe("Theolddogsleeps");

    const before = await shares(page);
    await page.hover(".words button >> nth=1");
    await page.waitForFunction(() =>
      /old/.test(document.querySelector("#attends")?.textContent ?? ""),
    );
    const wasm = await shares(page);
    expect(wasm).not.toEqual(before);
    expect(wasm.reduce((sum, share) => sum + share, 0)).toBeGreaterThan(97);

    await page.selectOption("#backend", "js");
    await computed(page, "js");
    await page.click("text=Why this backend?");
    expect(await page.textContent(".why")).toContain("js runs it");
    const js = await shares(page);
    for (const [i, share] of js.entries()) expect(share).toBeCloseTo(wasm[i] as number, 0);

    await page.selectOption("#head", "1.2");
    await page.click("text=Weighted sum of values");
    const chosen = await shares(page);
    await page.reload();
    await computed(page, "js");
    expect((await words(page)).join("")).toBe("Theolddogsleeps");
    expect(await page.textContent("#attends")).toContain("old");
    expect(await page.textContent("#step")).toContain("6.");
    expect(await shares(page)).toEqual(chosen);
  });

  test("words and cells are reached by keyboard, and what is hidden has no weight", async () => {
    const page = await open("?backend=js&token=0&step=5");
    await page.check(".switch input");
    await page.waitForFunction(() => /causal=true/.test(location.search));
    await page.waitForSelector(".hidden-key");
    // The first word sees itself alone, once that is computed.
    await page.waitForSelector(".words .share >> text=100%");
    expect((await shares(page))[0]).toBe(100);
    await page.focus(".words [aria-pressed=true]");
    await page.keyboard.press("ArrowRight");
    expect(await page.textContent("#attends")).toContain("robot");
    expect((await shares(page)).slice(2).every((share) => share === 0)).toBe(true);

    await page.click("text=All heads");
    await page.focus(".map-frame");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowDown");
    expect(await page.textContent("#cell")).toMatch(/robot \(2\) → robot \(2\): \d+\.\d%/);
  });

  test("two backends are compared, and the map is saved as data and as a picture", async () => {
    const page = await open("?view=explore&backend=wasm&layer=1&head=1");
    await page.selectOption("text=Show >> select", "difference");
    await page.waitForSelector(
      "text=/largest error is 0\\.\\d\\d budgets on wasm and 0\\.\\d\\d on js/",
    );
    await page.selectOption("text=Show >> select", "weights");
    const saved = async (name: string) => {
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.click(`.files >> text=${name}`),
      ]);
      return readFile(await download.path());
    };
    const data = JSON.parse((await saved("JSON")).toString());
    expect(data.queries.length).toBe((data.rows as number[][]).length);
    for (const row of data.rows as number[][]) {
      expect(row.reduce((sum, x) => sum + x, 0)).toBeCloseTo(1, 5);
    }
    expect((await saved("SVG")).toString().match(/<rect /g)).toHaveLength(
      1 + data.rows.length ** 2,
    );
    expect((await saved("PNG")).subarray(1, 4).toString()).toBe("PNG");
  });

  test("4,096 tokens scroll, and rows come when they are on screen", async () => {
    const answers: number[] = [];
    const page = await ready(
      "?view=long&backend=wasm",
      {},
      {
        prepare: (own) => countAnswers(own, answers),
      },
    );
    await computed(page);
    const value = async (row: number): Promise<void> => {
      await page.waitForFunction(
        (pattern) => new RegExp(pattern).test(document.querySelector("#cell")?.textContent ?? ""),
        `\\(${row}\\) → .*: \\d+\\.\\d+%`,
      );
    };
    await page.hover(".map-frame", { position: { x: 5, y: 5 } });
    await value(4);
    const work = await page.evaluate(async () => {
      const box = document.querySelector(".map-frame") as HTMLElement;
      const draws: { readonly frame: number; readonly cells: number }[] = [];
      let frame = 0;
      const { putImageData } = OffscreenCanvasRenderingContext2D.prototype;
      OffscreenCanvasRenderingContext2D.prototype.putImageData = function (
        image: ImageData,
        ...where: number[]
      ) {
        draws.push({ frame, cells: image.width * image.height });
        putImageData.apply(this, [image, ...where] as Parameters<typeof putImageData>);
      };
      for (; frame < 40; frame++) {
        // A wheel reports several times between two frames.
        for (let part = 1; part <= 4; part++) {
          box.scrollTop = frame * 180 + part * 45;
          box.dispatchEvent(new Event("scroll"));
        }
        await new Promise((resolve) => requestAnimationFrame(resolve));
        await new Promise((resolve) => setTimeout(resolve));
      }
      OffscreenCanvasRenderingContext2D.prototype.putImageData = putImageData;
      return {
        draws,
        frames: frame,
        onScreen: (box.clientWidth / 2 + 2) * (box.clientHeight / 2 + 2),
      };
    });
    // A frame paints what is on screen, once, though it was scrolled four times and strips have come meanwhile.
    expect(work.draws.length).toBeGreaterThan(work.frames / 2);
    expect(work.draws.length).toBeLessThanOrEqual(work.frames + 1);
    for (const { cells } of work.draws) expect(cells).toBeLessThanOrEqual(work.onScreen);
    // No answer of the worker holds more than a strip: the whole matrix would have 64 times as much.
    expect(answers.length).toBeGreaterThan(0);
    expect(Math.max(...answers)).toBeLessThanOrEqual(64 * 4096 * 4);
    await page.focus(".map-frame");
    await page.keyboard.press("ArrowDown");
    await page.evaluate(() => {
      (document.querySelector(".map-frame") as HTMLElement).scrollTop = 1e6;
    });
    await page.hover(".map-frame", { position: { x: 6, y: 500 } });
    await page.waitForFunction(() =>
      /\(4\d{3}\) → .*: \d/.test(document.querySelector("#cell")?.textContent ?? ""),
    );
  });

  describe("on a GPU, which the CPU imitates", () => {
    let withGpu: Browser;

    beforeAll(async () => {
      withGpu = await chromium.launch({ executablePath, args: softwareGpu });
    });
    afterAll(() => withGpu?.close());

    test("webgpu is chosen by name: weights are those of js, and the page says what computed them", async () => {
      const page = await ready("?backend=js", {}, { on: withGpu });
      await computed(page, "js");
      const js = await shares(page);
      await page.selectOption("#backend", "webgpu");
      await computed(page, "webgpu");
      expect(await page.textContent(".computed")).toMatch(/^Computed by webgpu in \d+ ms$/);
      const webgpu = await shares(page);
      expect(webgpu).toHaveLength(js.length);
      for (const [i, share] of webgpu.entries()) {
        expect(Math.abs(share - (js[i] as number))).toBeLessThanOrEqual(0.11);
      }
      await page.click("text=Why this backend?");
      const why = await page.textContent(".why");
      expect(why).toContain("webgpu runs it");
      expect(why).toContain("a software adapter: the CPU imitates a GPU");

      await page.click("text=All heads");
      await page.selectOption("text=Show >> select", "difference");
      for (const layer of [0, 1]) {
        await page.click(`.small >> nth=${4 * layer + 1}`);
        const said = page.locator("text=/budgets on webgpu and/");
        await said.waitFor();
        await page.waitForFunction(
          (name) =>
            document.querySelector(".small[aria-pressed=true]")?.textContent?.includes(name),
          `Layer ${layer + 1}`,
        );
        const text = (await said.textContent()) ?? "";
        const budgets = text.match(/error is ([\d.]+) budgets on webgpu and ([\d.]+) on js/);
        expect(Number(budgets?.[1]), text).toBeLessThanOrEqual(1);
        expect(Number(budgets?.[2]), text).toBeLessThanOrEqual(1);
      }
    });

    test("rows of a long text, and of a model, come from webgpu", async () => {
      const page = await ready("?view=long&backend=webgpu&length=1024", {}, { on: withGpu });
      await computed(page, "webgpu");
      await page.hover(".map-frame", { position: { x: 5, y: 5 } });
      const cell = () => page.textContent("#cell");
      const told = () =>
        page.waitForFunction(() =>
          /: \d+\.\d+%/.test(document.querySelector("#cell")?.textContent ?? ""),
        );
      await told();
      const onGpu = await cell();
      await page.selectOption("#backend", "js");
      await computed(page, "js");
      await page.hover(".map-frame", { position: { x: 5, y: 6 } });
      await told();
      expect(await cell()).toBe(onGpu);

      await page.goto(`${address}?view=model&model=./model/recogniser.onnx&backend=webgpu`);
      await computed(page, "webgpu");
      await page.waitForFunction(
        () => document.querySelector("#read")?.textContent === "HEED 2026",
      );
    });

    test("without a name, the GPU that the CPU imitates is passed over, and the page says why", async () => {
      const page = await ready("?backend=auto", {}, { on: withGpu });
      await computed(page, "wasm");
      await page.click("text=Why this backend?");
      const why = await page.textContent(".why");
      expect(why).toMatch(/wasm runs it[\s\S]*webgpu: the only adapter imitates a GPU on the CPU/);
    });
  });

  test("a model that is opened shows its sites, and the weights of each head", async () => {
    const page = await ready("?view=model&backend=js");
    await page.setInputFiles("#model-file", {
      name: "mine.onnx",
      mimeType: "application/octet-stream",
      buffer: Buffer.from(whisper().bytes),
    });
    await computed(page, "js");
    const rows = await page.locator(".sites tbody tr").allTextContents();
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatch(/causal.*self/);
    expect(rows[1]).toContain("cross");
    expect(await page.textContent("#attended")).toMatch(
      /token 1 attends most to token 1 \(100\.0%\)/,
    );
    await page.click(".sites tbody tr:nth-child(2) button");
    await page.waitForSelector(".sites tbody tr:nth-child(2) [aria-pressed=true]");
    await page.selectOption("#site-head", "1");
    await page.waitForFunction(() =>
      /head 2/.test(document.querySelector("#site")?.textContent ?? ""),
    );
    expect(page.url()).not.toContain("blob");

    await page.setInputFiles("#model-file", {
      name: "cut.onnx",
      mimeType: "application/octet-stream",
      buffer: Buffer.from(whisper().bytes.subarray(0, 700)),
    });
    await page.waitForSelector("#status.bad");
    expect(await page.textContent("#status")).toContain("the file ends after 700 bytes");
  });

  test("a model is opened together with the files in which its weights are", async () => {
    const page = await ready("?view=model&backend=js");
    const { bytes, files } = withWeightsOutside(whisper().bytes, ["mine.onnx_data"]);
    const file = (name: string, own: Uint8Array) => ({
      ...{ name, mimeType: "application/octet-stream" },
      buffer: Buffer.from(own),
    });
    await page.setInputFiles("#model-file", [file("mine.onnx", bytes)]);
    await page.waitForSelector("#status.bad");
    expect(await page.textContent("#status")).toContain(
      "weights of the model are in the file mine.onnx_data",
    );
    const data = file("mine.onnx_data", files.get("mine.onnx_data") as Uint8Array);
    await page.setInputFiles("#model-file", [data]);
    await computed(page, "js");
    expect(await page.locator(".sites tbody tr").count()).toBe(2);
    await page.setInputFiles("#model-file", [data, file("again.onnx", bytes)]);
    await computed(page, "js");
  });

  test("the text recogniser reads words that the page draws, and a reload brings its patches back", async () => {
    const page = await ready("?view=model&backend=wasm");
    await page.click("text=Use a text recogniser");
    await computed(page, "wasm");
    await page.waitForSelector("#read");
    await page.fill("#words", "WRENCH");
    await page.click(".model-form [type=submit]");
    await page.waitForFunction(() => document.querySelector("#read")?.textContent === "WRENCH");
    const patches = page.locator(".patches");
    const box = await patches.boundingBox();
    if (!box) throw new Error("no patches");
    await patches.click({ position: { x: box.width * 0.5, y: box.height / 2 } });
    await page.click(".sites tbody tr:nth-child(2) button");
    await page.waitForFunction(
      () => /query=/.test(location.search) || /site=1/.test(location.search),
    );
    await computed(page, "wasm");
    const before = await page.textContent("#attended");
    await page.reload();
    await computed(page, "wasm");
    expect(await page.textContent("#attended")).toBe(before);
    expect(await page.textContent("#read")).toBe("WRENCH");
  });

  test("masks show the tiles that are skipped", async () => {
    const page = await ready("?view=masks");
    expect(await page.textContent("#tiles")).toContain("Of 256 tiles, 120 are skipped (47%)");
    await page.selectOption("#mask-name", "window");
    await page.selectOption("#tile", "128");
    await page.waitForFunction(() =>
      /Of 64 tiles/.test(document.querySelector("#tiles")?.textContent ?? ""),
    );
    await page.reload();
    expect(await page.textContent("#tiles")).toContain("Of 64 tiles, 49 are skipped");
  });

  test("scores of a program are read cell by cell, saved, and brought back by the address", async () => {
    const page = await ready("?view=masks");
    expect(await page.textContent("#score-range")).toMatch(
      /Scores of 0 become −\d.* to 0\.000\..*2,016 of 4,096 are hidden, and 6 of 16 tiles/,
    );
    await page.selectOption("#scores-name", "swin");
    await page.selectOption("#scores-head", { label: "3" });
    const map = page.locator('.map-frame[aria-label^="Scores after Swin"]');
    await map.focus();
    for (const key of ["ArrowRight", "ArrowDown"]) await page.keyboard.press(key);
    expect(await page.textContent("#score-cell")).toMatch(
      /pixel 1, 2 \(2\) → pixel 1, 2 \(2\): −?\d\.\d{3}/,
    );
    for (let i = 0; i < 4; i++) await page.keyboard.press("ArrowRight");
    expect(await page.textContent("#score-cell")).toContain("pixel 1, 6 (6): hidden");
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.click(".map:has(#score-cell) .files >> text=JSON"),
    ]);
    const saved = JSON.parse((await readFile(await download.path())).toString());
    expect(saved.keys[9]).toBe("pixel 2, 2");
    expect(saved.rows[1][5]).toBe(null);
    expect(typeof saved.rows[1][1]).toBe("number");
    await page.reload();
    expect(await page.textContent("#scores")).toBe("Swin's position bias, head 3");
    await page.selectOption("#scores-name", "cap");
    expect(await page.textContent("#score-range")).toContain("Scores become −49.7");
    expect(await page.locator("#scores-head").count()).toBe(0);
  });

  test("two heads and two sentences are compared", async () => {
    const page = await open("?view=explore&backend=js&head=1");
    await page.selectOption("text=Show >> select", "heads");
    await page.selectOption("#other-head", "0.1");
    await page.waitForSelector("text=by at most 0%");
    await page.selectOption("#other-head", "1.0");
    await page.waitForFunction(() => !/by at most 0%/.test(document.body.textContent ?? ""));
    await page.fill("#second", "Time flies");
    await page.press("#second", "Enter");
    await page.waitForSelector("#beside");
    expect(await page.textContent("#beside")).toMatch(/of 3\.\d bits.*of 1\.\d bits/);
  });

  test("a backend that is not there is said, and another one still works", async () => {
    const page = await browser.newPage();
    onTestFinished(() => page.close());
    await page.goto(`${address}?backend=webgpu`);
    await page.waitForSelector("#status.bad");
    expect(await page.textContent("#status")).toContain("webgpu");
    await page.selectOption("#backend", "js");
    await computed(page, "js");
  });

  test.each([
    ["light", 1280],
    ["dark", 375],
  ] as const)(
    "axe finds nothing, and nothing is too wide, in %s at %i px",
    async (colorScheme, width) => {
      for (const query of [
        "?step=6&causal=true",
        "?view=explore&second=Time+flies",
        "?view=long&length=1024",
        "?view=model&model=./model/recogniser.onnx",
        "?view=masks",
      ]) {
        const page = await ready(query, { colorScheme, viewport: { width, height: 800 } });
        if (!query.includes("masks")) await computed(page);
        await page.addScriptTag({ path: axe });
        const violations = await page.evaluate(async () => {
          const { axe } = globalThis as unknown as {
            axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
          };
          return (await axe.run()).violations.map(({ id, nodes }) => [id, nodes[0]?.html]);
        });
        expect(violations).toEqual([]);
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(
          width,
        );
      }
    },
  );
});
