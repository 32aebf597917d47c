/**
 * The suite in engines other than Node's and Chromium's: in a browser on the page that was built, in a runtime by
 * the command. Each case becomes a test, as in `testBackend`.
 */
import { existsSync } from "node:fs";
import { type EngineName, MissingEngineError, type ServedPage } from "@heed/bench/engines";
import { type ConformanceReport, formatFailure, parseDocument } from "@heed/conformance";
import type { CaseMeta } from "@heed/conformance/vitest";
import { afterAll, describe, expect, test } from "vitest";
// @ts-expect-error a script without types
import { serveSuite, suiteIn } from "../tools/in-engine.js";

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

/** The environment in which an engine finds a driver for Vulkan, where it is installed. */
function driver(file: string): Readonly<Record<string, string>> {
  return existsSync(file) ? { VK_DRIVER_FILES: file } : {};
}

/** Mesa's software driver, which unlike SwiftShader has shader-f16. */
export const llvmpipe = driver("/usr/share/vulkan/icd.d/lvp_icd.x86_64.json");
/** The software driver that Chromium brings. */
export const swiftShader = driver("/usr/lib/chromium/vk_swiftshader_icd.json");

/** Runs cases in an engine, then registers a test for each. Runs of one engine follow each other. */
export async function testEngine(engine: EngineName, runs: readonly EngineRun[]): Promise<void> {
  for (const run of runs) register(engine, run, await find(engine, run));
}

async function find(engine: EngineName, run: EngineRun): Promise<Found> {
  try {
    const { version, json } = await suiteIn(engine, run, servedPage);
    const { reports } = parseDocument(json);
    return { version: version || /[\d.]+/.exec(reports[0]?.environment ?? "")?.[0] || "", reports };
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

let served: Promise<ServedPage> | undefined;

/** The page, built from the sources once, and served until the tests are over. */
function servedPage(): Promise<ServedPage> {
  served ??= (async () => {
    const page = await serveSuite();
    afterAll(() => page.close());
    return page;
  })();
  return served;
}
