/** The page on which a story is written, in a real browser, as its command serves it. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium, type Page } from "playwright";
import { createServer } from "vite";
import { expect, onTestFinished, test } from "vitest";
import { readVocabulary } from "../src/checkpoint.js";
import { readModelFile } from "../src/files.js";
import { textOf } from "../src/write.js";
import { folder, published } from "./stories.js";

const root: string = fileURLToPath(new URL("..", import.meta.url));
const executablePath = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";
const required = (process.env.HEED_REQUIRE ?? "").split(",").includes("chromium");
const here = existsSync(executablePath);

test.runIf(!here)("the page is tested", () => {
  if (required) throw new Error(`no chromium at ${executablePath}`);
});

async function open(): Promise<Page> {
  const server = await createServer({ root, logLevel: "warn", server: { port: 0 } });
  onTestFinished(() => server.close());
  await server.listen();
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  page.setDefaultTimeout(60_000);
  page.on("pageerror", (error) => console.error(error));
  await page.goto(server.resolvedUrls?.local[0] as string);
  return page;
}

test.skipIf(folder === null || !here)(
  "the published text grows, beside figures; other backends and caches write it too",
  async () => {
    const page = await open();
    const { ids } = await published();
    const vocabulary = readVocabulary(await readModelFile("tokenizer"));
    const beginning = (count: number) => textOf(ids.slice(0, count), vocabulary);
    const shown = (id: string) => page.locator(`#${id}`).textContent();
    /** Writes until there are so many tokens. */
    const write = async (count: number, choices: Readonly<Record<string, string>>) => {
      for (const [name, value] of Object.entries(choices)) {
        await page.selectOption(`[name=${name}]`, value);
      }
      await page.click("button");
      const wanted = beginning(count);
      const lengths = new Set<number>();
      for (let text = ""; text.length < wanted.length; ) {
        text = (await shown("text")) ?? "";
        expect(wanted.startsWith(text.slice(0, wanted.length))).toBe(true);
        lengths.add(text.length);
        expect(await shown("status")).toMatch(/^(loading|writing|done)$/);
      }
      expect(lengths.size).toBeGreaterThan(2);
      expect(Number(await shown("speed"))).toBeGreaterThan(0);
      return { bytes: await shown("bytes"), where: await shown("where") };
    };
    expect(await write(256, { backend: "wasm" })).toEqual({ bytes: "655,360", where: "wasm" });
    // Another choice ends the text that is being written.
    await page.selectOption("[name=kind]", "paged");
    await page.waitForFunction(() =>
      /done|stopped/.test(document.querySelector("#status")?.textContent ?? ""),
    );
    expect(await write(40, { dtype: "float16" })).toEqual({ bytes: "327,680", where: "wasm" });
    const rolling = { backend: "js", kind: "rolling", dtype: "float32" };
    expect(await write(40, rolling)).toEqual({ bytes: "81,920", where: "host memory" });
  },
);
