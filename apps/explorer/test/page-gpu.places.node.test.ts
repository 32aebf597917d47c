import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
// @ts-expect-error a script without types
import { softwareGpu } from "../tools/built-page.js";
import { computed, describePage, executablePath, shares } from "./built-page.js";

describePage("the page on a GPU, which the CPU imitates", (built) => {
  let withGpu: Browser;

  beforeAll(async () => {
    withGpu = await chromium.launch({ executablePath, args: softwareGpu });
  });
  afterAll(() => withGpu?.close());

  test("webgpu is chosen by name: weights are those of js, and the page says what computed them", async () => {
    const page = await built.ready("?backend=js", {}, { on: withGpu });
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
        (name) => document.querySelector(".small[aria-pressed=true]")?.textContent?.includes(name),
        `Layer ${layer + 1}`,
      );
      const text = (await said.textContent()) ?? "";
      const budgets = text.match(/error is ([\d.]+) budgets on webgpu and ([\d.]+) on js/);
      expect(Number(budgets?.[1]), text).toBeLessThanOrEqual(1);
      expect(Number(budgets?.[2]), text).toBeLessThanOrEqual(1);
    }
  });

  test("rows of a long text, and of a model, come from webgpu", async () => {
    const page = await built.ready("?view=long&backend=webgpu&length=1024", {}, { on: withGpu });
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

    await page.goto(`${built.address}?view=model&model=./model/recogniser.onnx&backend=webgpu`);
    await computed(page, "webgpu");
    await page.waitForFunction(() => document.querySelector("#read")?.textContent === "HEED 2026");
  });

  test("without a name, the GPU that the CPU imitates is passed over, and the page says why", async () => {
    const page = await built.ready("?backend=auto", {}, { on: withGpu });
    await computed(page, "wasm");
    await page.click("text=Why this backend?");
    const why = await page.textContent(".why");
    expect(why).toMatch(/wasm runs it[\s\S]*webgpu: the only adapter imitates a GPU on the CPU/);
  });
});
