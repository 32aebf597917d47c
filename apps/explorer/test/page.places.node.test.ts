import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { expect, onTestFinished, test } from "vitest";
import { computed, describePage, saved, shares } from "./built-page.js";

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

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

describePage("the page", (built) => {
  const words = (page: Page) => page.locator(".words .word").allTextContents();

  test("a sentence is typed, a word pointed at, a backend chosen; the address brings all back", async () => {
    const page = await built.open("?backend=wasm");
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
    const page = await built.open("?backend=js&token=0&step=5");
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
    const page = await built.open("?view=explore&backend=wasm&layer=1&head=1");
    await page.selectOption("text=Show >> select", "difference");
    await page.waitForSelector(
      "text=/largest error is 0\\.\\d\\d budgets on wasm and 0\\.\\d\\d on js/",
    );
    await page.selectOption("text=Show >> select", "weights");
    const file = (name: string) => saved(page, `.files >> text=${name}`);
    const data = JSON.parse((await file("JSON")).toString());
    expect(data.queries.length).toBe((data.rows as number[][]).length);
    for (const row of data.rows as number[][]) {
      expect(row.reduce((sum, x) => sum + x, 0)).toBeCloseTo(1, 5);
    }
    expect((await file("SVG")).toString().match(/<rect /g)).toHaveLength(1 + data.rows.length ** 2);
    expect((await file("PNG")).subarray(1, 4).toString()).toBe("PNG");
  });

  test("4,096 tokens scroll, and rows come when they are on screen", async () => {
    const answers: number[] = [];
    const page = await built.ready(
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

  test("two heads and two sentences are compared", async () => {
    const page = await built.open("?view=explore&backend=js&head=1");
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
    const page = await built.browser.newPage();
    onTestFinished(() => page.close());
    await page.goto(`${built.address}?backend=webgpu`);
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
        const page = await built.ready(query, { colorScheme, viewport: { width, height: 800 } });
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
