import { CommanderError } from "commander";
import { backendByName } from "../contenders/backends.js";
import { runBenchmark } from "../measure/run-benchmark.js";
import { peerByName } from "../peers/peers.js";
import type { BenchReport } from "../report/report.js";
import { measureCeiling } from "./ceiling.js";
import { nodeEnvironment } from "./environment.js";
import { formatSeconds } from "./format.js";
import { renderList } from "./list.js";
import { type CliOptions, parseOptions, threadsWarning } from "./options.js";
import { createProgress } from "./progress.js";
import { renderReport } from "./table.js";
import { whyNotWritable, writeReport } from "./write-report.js";

/** Exit codes, as shells know them. */
const exit = { ok: 0, wrongResult: 1, wrongArguments: 2, interrupted: 130 } as const;

/**
 * The command.
 *
 * @param args without the interpreter and the script
 * @returns the exit code: 1 if a Heed backend computed something wrong or failed
 */
export async function main(args: readonly string[]): Promise<number> {
  let options: CliOptions;
  try {
    options = parseOptions(args);
  } catch (error) {
    // Commander has said what is wrong, or shown the help that was asked for.
    if (error instanceof CommanderError)
      return error.exitCode === 0 ? exit.ok : exit.wrongArguments;
    throw error;
  }
  if (options.list) {
    console.log(renderList());
    return exit.ok;
  }
  const interrupted = new AbortController();
  // Once: whoever presses it again while a long call runs means it, and Node's default ends it.
  process.once("SIGINT", () => {
    console.error("\nstopping after the current call; press again to stop now");
    interrupted.abort();
  });
  const obstacle = options.json === null ? null : await whyNotWritable(options.json);
  if (obstacle !== null) {
    console.error(obstacle);
    return exit.wrongArguments;
  }
  const warning = threadsWarning(options.threads);
  if (warning) console.error(warning);
  try {
    const report = await measure(options, interrupted.signal);
    if (options.json !== null) await writeReport(options.json, report);
    return report.cases.some(isWrong(report)) ? exit.wrongResult : exit.ok;
  } catch (error) {
    if (interrupted.signal.aborted) return exit.interrupted;
    throw error;
  }
}

async function measure(options: CliOptions, signal: AbortSignal): Promise<BenchReport> {
  const { workloads, dtype, threads, budget, samples } = options;
  const start = performance.now();
  const ceiling = options.ceiling ? await measureCeiling(threads) : undefined;
  const progress = createProgress(workloads, process.stderr);
  let report: BenchReport;
  try {
    report = await runBenchmark({
      workloads,
      contenders: [
        ...options.backends.map((name) => backendByName(name, { threads })),
        ...options.peers.map((name) => peerByName(name, { threads })),
      ],
      environment: nodeEnvironment(),
      dtype,
      threads,
      budget,
      samples,
      ceiling,
      signal,
      onProgress: (event) => progress.update(event),
    });
  } finally {
    progress.stop();
  }
  console.log(renderReport(report));
  console.error(`\n${formatSeconds((performance.now() - start) / 1000)}`);
  return report;
}

/** Peers may be wrong, and the table says so; a backend of ours may not. */
function isWrong({ contenders }: BenchReport): (report: BenchReport["cases"][number]) => boolean {
  const ours = new Set(contenders.filter(({ kind }) => kind === "backend").map(({ name }) => name));
  return ({ results }) =>
    results.some(
      ({ contender, status }) => ours.has(contender) && (status === "wrong" || status === "failed"),
    );
}
