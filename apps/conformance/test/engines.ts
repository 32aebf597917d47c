/**
 * The suite in engines other than Node's and Chromium's: in a browser on the page that was built, in a runtime by
 * the command. Each case becomes a test, as in `testBackend`.
 */
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type BrowserName,
  type EngineName,
  isBrowser,
  MissingEngineError,
  openPage,
  type RuntimeName,
  runIn,
  runPage,
  type ServedPage,
  serveFolder,
} from "@heed/bench/engines";
import { type ConformanceReport, formatFailure, parseDocument } from "@heed/conformance";
import type { CaseMeta } from "@heed/conformance/vitest";
import { build } from "vite";
import { afterAll, describe, expect, test } from "vitest";

/** Cases of some backends, to run in an engine. */
export interface EngineRun {
  /** Names of backends: of the page, such as `"onnx:wasm"`, or of the command. */
  readonly backends: readonly string[];
  /** Only the cases of this profile. Default: all */
  readonly profile?: string;
  /** Variables of the engine's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Words for the title, such as the device. */
  readonly where?: string;
}

/** The results of a run, or why there are none. */
type Found =
  | { readonly version: string; readonly reports: readonly ConformanceReport[] }
  | { readonly missing: string };

const required = (process.env.HEED_REQUIRE ?? "").split(",");

/** Mesa's software driver for Vulkan; unlike SwiftShader it has shader-f16. */
const lavapipe = "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json";
/** The environment in which an engine finds it, where it is installed. */
export const llvmpipe: Readonly<Record<string, string>> = existsSync(lavapipe)
  ? { VK_DRIVER_FILES: lavapipe }
  : {};

/** Runs cases in an engine, then registers a test for each. Runs of one engine follow each other. */
export async function testEngine(engine: EngineName, runs: readonly EngineRun[]): Promise<void> {
  for (const run of runs) register(engine, run, await find(engine, run));
}

async function find(engine: EngineName, run: EngineRun): Promise<Found> {
  try {
    return await (isBrowser(engine) ? inBrowser(engine, run) : inRuntime(engine, run));
  } catch (error) {
    if (error instanceof MissingEngineError) return { missing: error.message };
    throw error;
  }
}

function register(engine: EngineName, { where }: EngineRun, found: Found): void {
  if ("missing" in found) {
    test(`${engine} is available`, ({ skip }) => {
      if (required.includes(engine)) expect.fail(found.missing);
      skip(found.missing);
    });
    return;
  }
  for (const { backend, unavailable, results } of found.reports) {
    const title = `${backend} in ${engine} ${found.version}${where ? ` on ${where}` : ""}`;
    describe(title, () => {
      test("is available", () => expect(unavailable).toBeNull());
      test.for(results)("$id", (result, { task }) => {
        (task.meta as CaseMeta).conformance = { provider: title, result };
        if (result.outcome === "fail") expect.fail(formatFailure(result));
      });
    });
  }
}

async function inBrowser(engine: BrowserName, run: EngineRun): Promise<Found> {
  const { backends, profile = "", env } = run;
  const page = await openPage(engine, { env });
  try {
    const query = new URLSearchParams([
      ...backends.map((name): [string, string] => ["backend", name]),
      ["profile", profile],
      ["start", ""],
    ]);
    const { url } = await servedPage();
    const text = await runPage<string>(page, { url: `${url}?${query}`, say: () => {} });
    return { version: page.version, reports: parseDocument(text).reports };
  } finally {
    await page.close();
  }
}

let served: Promise<ServedPage> | undefined;

/** The page, built from the sources once, and served until the tests are over. */
function servedPage(): Promise<ServedPage> {
  served ??= buildPage();
  return served;
}

async function buildPage(): Promise<ServedPage> {
  const outDir = await mkdtemp(join(tmpdir(), "heed-page-"));
  const root = fileURLToPath(new URL("..", import.meta.url));
  await build({ root, logLevel: "warn", build: { outDir, emptyOutDir: true } });
  const page = await serveFolder(outDir, { port: 0, isolated: true });
  afterAll(async () => {
    await page.close();
    await rm(outDir, { recursive: true });
  });
  return page;
}

async function inRuntime(engine: RuntimeName, run: EngineRun): Promise<Found> {
  const { backends, profile, env } = run;
  const folder = await mkdtemp(join(tmpdir(), "heed-engine-"));
  try {
    const script = fileURLToPath(
      new URL("../../../packages/conformance/bin/heed-conformance.js", import.meta.url),
    );
    const args = ["--backend", backends.join(","), "--out", folder];
    let printed = "";
    await runIn(engine, {
      script,
      args: profile ? [...args, "--profile", profile] : args,
      env,
      print: (text) => (printed += text),
    });
    const text = await readFile(join(folder, "report.json"), "utf8").catch((cause: unknown) => {
      throw new Error(`${engine} wrote no report: ${printed}`, { cause });
    });
    const { reports } = parseDocument(text);
    const version = /[\d.]+/.exec(reports[0]?.environment ?? "")?.[0] ?? "";
    return { version, reports };
  } finally {
    await rm(folder, { recursive: true });
  }
}
