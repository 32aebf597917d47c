import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { type Browser, chromium, type Page } from "playwright-core";
import sirv from "sirv";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";

/**
 * Every folder of examples/ that has an output.txt prints that, on what was built: `main.js` in Node, or, with an
 * `index.html`, as a page in Chromium.
 */
const examples: string = fileURLToPath(new URL("../../../examples", import.meta.url));
const built = existsSync(fileURLToPath(new URL("../../../packages/heed/dist", import.meta.url)));
const executablePath = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";
const required = (process.env.HEED_REQUIRE ?? "").split(",").includes("chromium");

const names = readdirSync(examples).filter((name) =>
  existsSync(join(examples, name, "output.txt")),
);
const isPage = (name: string): boolean => existsSync(join(examples, name, "index.html"));
const expected = (name: string): string =>
  readFileSync(join(examples, name, "output.txt"), "utf8").trimEnd();

test.runIf(!built)("examples are tested", () => {
  if (required) throw new Error("no packages/heed/dist: build");
});

describe.runIf(built)("in Node", () => {
  test.for(names.filter((name) => !isPage(name)))("%s", async (name) => {
    const { stdout } = await promisify(execFile)(process.execPath, ["main.js"], {
      cwd: join(examples, name),
      // Outputs are those of a machine without a GPU, whatever this one has.
      env: { ...process.env, VK_DRIVER_FILES: "/nonexistent", NODE_OPTIONS: "" },
    });
    expect(stdout.trimEnd()).toBe(expected(name));
  });
});

describe.runIf(built && existsSync(executablePath))("in a page", () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath,
      args: ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"],
    });
  });

  afterAll(() => browser?.close());

  /** Builds an example, serves it with its own headers, and opens it. */
  async function open(name: string): Promise<{ page: Page; loaded: string[] }> {
    const outDir = await mkdtemp(join(tmpdir(), "heed-example-"));
    await build({
      root: join(examples, name),
      configFile: false,
      logLevel: "warn",
      // Builds against the packages as they are published, as the README's command does.
      build: { outDir, emptyOutDir: true, target: "es2022", modulePreload: { polyfill: false } },
      worker: { format: "es" },
    });
    const own = join(examples, name, "headers.js");
    const { headers } = existsSync(own) ? await import(pathToFileURL(own).href) : { headers: {} };
    const files = sirv(outDir, {
      setHeaders: (response) => {
        for (const [key, value] of Object.entries<string>(headers)) response.setHeader(key, value);
      },
    });
    const server: Server = createServer((request, response) => files(request, response));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const page = await browser.newPage();
    const loaded: string[] = [];
    page.on("response", (response) => loaded.push(new URL(response.url()).pathname));
    page.on("pageerror", (error) => console.error(`${name}: ${error.message}`));
    onTestFinished(async () => {
      await page.close();
      server.close();
      await rm(outDir, { recursive: true });
    });
    await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
    return { page, loaded };
  }

  test.for(names.filter(isPage))("%s", async (name) => {
    const { page, loaded } = await open(name);
    const button = page.locator("button");
    if ((await button.count()) > 0) {
      await page.waitForLoadState("networkidle");
      // The page and its entry: nothing of Heed yet.
      expect(loaded).toHaveLength(2);
      await button.click();
    }
    const output = page.locator("output:not(:empty)");
    await output.waitFor({ timeout: 30_000 });
    expect(await output.textContent()).toBe(expected(name));
  });
});
