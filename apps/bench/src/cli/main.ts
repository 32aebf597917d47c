import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { CommanderError } from "commander";
import { isClusterSuite } from "../cluster/arguments.js";
import { type Comparison, compareReports } from "../compare/compare.js";
import { findEngine } from "../engines/find.js";
import { messageOf } from "../message.js";
import { recommend } from "../recommend/recommend.js";
import { renderAdvice } from "../recommend/render.js";
import { formatSeconds } from "../report/format.js";
import { mergeEnvironments } from "../report/merge-environments.js";
import { parseReport } from "../report/parse.js";
import type { BenchReport, CaseReport } from "../report/report.js";
import { renderComparison } from "./comparison.js";
import { measureElsewhere } from "./elsewhere.js";
import { measureInLaunches } from "./launch.js";
import { renderList } from "./list.js";
import { measureHere } from "./measure.js";
import { type CliOptions, parseOptions, threadsWarning } from "./options.js";
import { servePage } from "./serve.js";
import { renderReport } from "./table.js";
import { checkOutputs, writeOutputs } from "./write-report.js";

/** Exit codes, as shells know them. */
const exit = {
  ok: 0,
  wrongResult: 1,
  wrongArguments: 2,
  slower: 3,
  incomplete: 4,
  interrupted: 130,
} as const;

/**
 * The command.
 *
 * @param args without the interpreter and the script
 * @returns the exit code: 1 if a Heed backend computed something wrong or failed, 3 if a comparison
 *   found something slower, 4 if another engine failed or a file could not be written
 */
export async function main(args: readonly string[]): Promise<number> {
  if (isClusterSuite(args)) return (await import("../cluster/run.js")).runClusterSuite();
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
  const interruption = new AbortController();
  // Once: whoever presses it again while a long call runs means it, and Node's default ends it.
  const interrupt = () => {
    if (options.page === null) {
      console.error("\nstopping after the current call; press again to stop now");
    }
    interruption.abort();
  };
  process.once("SIGINT", interrupt);
  if (options.page !== null) return serveUntil(interruption.signal, options.page);
  try {
    return await run(options, interruption.signal);
  } finally {
    process.off("SIGINT", interrupt);
  }
}

async function serveUntil(signal: AbortSignal, port: number): Promise<number> {
  const page = await servePage({ port, isolated: true });
  console.log(`${page.url}\nCtrl-C ends it`);
  await once(signal, "abort");
  await page.close();
  return exit.ok;
}

async function run(options: CliOptions, signal: AbortSignal): Promise<number> {
  // Better known before minutes of measuring than after.
  let earlier: BenchReport | null;
  let given: BenchReport | null;
  try {
    earlier = options.compare === null ? null : await readReport("--compare", options.compare);
    given = options.from === null ? null : await readReport("--from", options.from);
    await checkOutputs(options);
    if (!given) for (const engine of options.engines) findEngine(engine);
  } catch (error) {
    console.error(messageOf(error));
    return exit.wrongArguments;
  }
  let outcome: Outcome;
  try {
    outcome = given ? { report: given, lacks: [] } : await measure(options, signal);
  } catch (error) {
    if (options.request.model === null || !isAboutModel(error)) throw error;
    console.error(`--model ${options.request.model.file}: ${messageOf(error)}`);
    return exit.wrongArguments;
  }
  const { report, lacks } = outcome;
  console.log(renderReport(report, options.details));
  if (report.interrupted && !given) return exit.interrupted;
  lacks.push(...(await writeOutputs(options, report, earlier)));
  const advice = recommend(report);
  if (advice.length > 0) console.log(`\n${renderAdvice(advice)}`);
  const threshold = options.threshold / 100;
  const comparison = earlier && compareReports(earlier, report, { threshold });
  if (comparison) console.log(`\n${renderComparison(comparison, options.details)}`);
  for (const lack of lacks) console.error(lack);
  const code = exitCodeOf(report, comparison);
  return code === exit.ok && lacks.length > 0 ? exit.incomplete : code;
}

/** Whether a model, or what it is to be fed, is what is wrong. */
function isAboutModel(error: unknown): boolean {
  const codes = [
    "splice",
    "invalid-input",
    "onnx-runtime",
    "backend-unavailable",
    "ENOENT",
    "EISDIR",
  ];
  return codes.includes(String((error as { code?: unknown }).code));
}

/** @throws Error that names the option and the file */
async function readReport(option: string, path: string): Promise<BenchReport> {
  try {
    return parseReport(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    throw new Error(`${option} ${path}: ${messageOf(cause)}`, { cause });
  }
}

interface Outcome {
  readonly report: BenchReport;
  /** A message for each result or file that was asked for and is missing. */
  readonly lacks: string[];
}

async function measure(
  { request, launches, engines }: CliOptions,
  signal: AbortSignal,
): Promise<Outcome> {
  const warning = threadsWarning(request.threads);
  if (warning) console.error(warning);
  const start = performance.now();
  const lacks: string[] = [];
  try {
    const reports = [
      await (launches === 1
        ? measureHere(request, signal)
        : measureInLaunches(request, launches, signal)),
    ];
    for (const engine of engines) {
      if (signal.aborted) break;
      console.error(`in ${engine}`);
      try {
        const say = (id: string) => console.error(`  ${id}`);
        reports.push(await measureElsewhere(engine, request, signal, say));
      } catch (error) {
        // The other results are kept.
        if (!signal.aborted) lacks.push(`${engine}'s results are missing: ${messageOf(error)}`);
      }
    }
    const report = mergeEnvironments(reports);
    return { report: signal.aborted ? { ...report, interrupted: true } : report, lacks };
  } finally {
    console.error(formatSeconds((performance.now() - start) / 1000));
  }
}

function exitCodeOf(report: BenchReport, comparison: Comparison | null): number {
  if (report.cases.some(isWrong(report))) return exit.wrongResult;
  const verdicts = [...(comparison?.contenders ?? []), ...(comparison?.cases ?? [])];
  return verdicts.some(({ verdict }) => verdict === "slower") ? exit.slower : exit.ok;
}

/** Peers may be wrong, and the table says so; a backend of ours may not. */
function isWrong({ contenders }: BenchReport): (report: CaseReport) => boolean {
  const ours = new Set(contenders.filter(({ kind }) => kind === "backend").map(({ name }) => name));
  return ({ results }) =>
    results.some(
      ({ contender, status }) => ours.has(contender) && (status === "wrong" || status === "failed"),
    );
}
