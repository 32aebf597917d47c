import { existsSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { parseReport } from "../report/parse.js";
import type { BenchReport } from "../report/report.js";
import { type RunRequest, requestToParams } from "../request.js";
import { nodeEnvironment } from "./environment.js";
import { servePage } from "./serve.js";

/**
 * Measures in a headless chromium: runs the page that was built, as a person would, and takes its
 * results.
 *
 * @param say is told how far it is
 * @throws Error saying what is missing
 */
export async function measureInChromium(
  request: RunRequest,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<BenchReport> {
  const served = await servePage({ port: 0, isolated: true });
  try {
    const browser = await launch();
    // Whatever it is doing, closing it ends it.
    const close = () => void browser.close();
    signal.addEventListener("abort", close, { once: true });
    try {
      const page = await browser.newPage();
      const report = await runPage(page, served.url, request, say);
      // The machine is the same, and Node knows its processor and memory.
      const { cpu, memory, platform } = nodeEnvironment();
      return {
        ...report,
        environments: report.environments.map((e) => ({ ...e, cpu, memory, platform })),
      };
    } finally {
      signal.removeEventListener("abort", close);
      await browser.close();
    }
  } finally {
    await served.close();
  }
}

/** @throws Error if there is none */
export function findChromium(): string {
  const path = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";
  if (!existsSync(path)) {
    throw new Error(`--chromium: there is none at ${path}; name another with CHROMIUM_PATH`);
  }
  return path;
}

async function launch(): Promise<Browser> {
  const executablePath = findChromium();
  const { chromium } = await import("playwright-core").catch((cause: unknown) => {
    throw new Error("playwright-core is not installed, and drives chromium", { cause });
  });
  // Without a GPU, an imitated one; the report says so. Root may not have a sandbox.
  const args = [
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    // GPU timestamps are rounded to 100 µs otherwise.
    "--disable-dawn-features=timestamp_quantization",
  ];
  if (process.getuid?.() === 0) args.push("--no-sandbox");
  return chromium.launch({ executablePath, args });
}

async function runPage(
  page: Page,
  url: string,
  request: RunRequest,
  say: (line: string) => void,
): Promise<BenchReport> {
  const params = requestToParams(request);
  params.set("ceiling", String(request.ceiling));
  params.set("run", "");
  await page.exposeFunction("heedProgress", say);
  await page.goto(`${url}?${params}`);
  const found = await page.waitForFunction(
    () => (globalThis as { heedOutcome?: { report?: unknown; problem?: string } }).heedOutcome,
    null,
    { timeout: 0, polling: 500 },
  );
  const { report, problem } = (await found.jsonValue()) ?? {};
  if (problem !== undefined) throw new Error(`in chromium: ${problem}`);
  return parseReport(report);
}
