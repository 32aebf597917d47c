import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { computed, describePage } from "./built-page.js";

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

describePage("a long text", (built) => {
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
});
