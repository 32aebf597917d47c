import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { mergeLaunches } from "../report/merge-launches.js";
import { parseReport } from "../report/parse.js";
import type { BenchReport } from "../report/report.js";
import { type RunRequest, requestToParams } from "../request.js";

/**
 * Measures in several processes, one after another, each with its part of the budget, and puts
 * together what they found.
 */
export async function measureInLaunches(
  request: RunRequest,
  launches: number,
  signal: AbortSignal,
): Promise<BenchReport> {
  const each: RunRequest = {
    ...request,
    budget: Math.ceil(request.budget / launches),
    // The machine's limit does not depend on the process.
    ceiling: false,
  };
  const reports: BenchReport[] = [];
  for (let launch = 0; launch < launches && !signal.aborted; launch++) {
    console.error(`launch ${launch + 1} of ${launches}`);
    reports.push(
      await measureInProcess(launch === 0 ? { ...each, ceiling: request.ceiling } : each),
    );
  }
  return mergeLaunches(reports);
}

/** Starts a process that runs a script, and waits until it ends. @throws Error unless it ends well */
export type Launch = (script: string, args: readonly string[]) => Promise<void>;

/** The compiled script, which tests that run on the sources need too. */
const script = [
  new URL("./launch-child.js", import.meta.url),
  new URL("../../dist/cli/launch-child.js", import.meta.url),
]
  .map((url) => fileURLToPath(url))
  .find((path) => existsSync(path)) as string;

/**
 * Measures in a process of its own, which writes its report, interrupted or not.
 *
 * @param launch default: this runtime, with the options that this process has
 */
export async function measureInProcess(
  request: RunRequest,
  launch: Launch = launchAgain,
): Promise<BenchReport> {
  const folder = await mkdtemp(join(tmpdir(), "heed-bench-"));
  try {
    const path = join(folder, "report.json");
    await launch(script, [requestToParams(request).toString(), path]);
    return parseReport(JSON.parse(await readFile(path, "utf8")));
  } finally {
    await rm(folder, { recursive: true });
  }
}

function launchAgain(script: string, args: readonly string[]): Promise<void> {
  // The terminal sends Ctrl-C to the whole group; the child ends by itself.
  const child = spawn(process.execPath, [...process.execArgv, script, ...args], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`a launch ended with ${signal ?? `exit code ${code}`}`));
    });
  });
}
