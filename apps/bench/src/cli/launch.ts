import { spawn } from "node:child_process";
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

/** Measures in a process of its own. */
export async function measureInProcess(request: RunRequest): Promise<BenchReport> {
  const folder = await mkdtemp(join(tmpdir(), "heed-bench-"));
  try {
    const path = join(folder, "report.json");
    await spawnLaunch(request, path);
    return parseReport(JSON.parse(await readFile(path, "utf8")));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Another process of the same command; it writes its report, interrupted or not. */
function spawnLaunch(request: RunRequest, path: string): Promise<void> {
  const script = fileURLToPath(new URL("./launch-child.js", import.meta.url));
  const args = [...process.execArgv, script, requestToParams(request).toString(), path];
  // The terminal sends Ctrl-C to the whole group; the child ends by itself.
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`a launch ended with ${signal ?? `exit code ${code}`}`));
    });
  });
}
