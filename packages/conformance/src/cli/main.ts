import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HeedError } from "@heed/core";
import { InvalidArgumentError } from "commander";
import writeFileAtomic from "write-file-atomic";
import { commonMistakes } from "../report/common-mistakes.js";
import { documentToJson, makeDocument, parseDocument } from "../report/document.js";
import { supportTable } from "../report/markdown.js";
import { type ConformanceReport, passesWhole } from "../report/report.js";
import { formatFailure, formatSummary } from "../report/text.js";
import { profiles } from "../run/case.js";
import { type CheckOptions, selectCases } from "../run/check.js";
import { reportHtml, reportMarkdown } from "../run/reports.js";
import { formatExplanations } from "../run/summary.js";
import { exportCases } from "./export.js";
import { type CliOptions, defaultDirectory, parseOptions } from "./options.js";
import { readPasted } from "./pasted.js";
import { checkWithProgress } from "./progress.js";
import { findProviders } from "./providers.js";
import { checkTable, updateTable } from "./readme.js";

/** @returns the process's exit code: 0 passed, 1 something failed, 2 a wrong argument */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    return await run(parseOptions(argv));
  } catch (error) {
    const { code, exitCode } = error as { code?: string; exitCode?: number };
    if (error instanceof HeedError || error instanceof InvalidArgumentError) {
      console.error(`error: ${error.message}`);
      return 2;
    }
    // Commander has printed its own message already.
    if (code?.startsWith("commander.")) return exitCode === 0 ? 0 : 2;
    throw error;
  }
}

async function run(options: CliOptions): Promise<number> {
  const selection = selectionOf(options);
  const selected = selectCases(selection);
  if (selected.length === 0) {
    throw new InvalidArgumentError("no case is selected; --list prints the ids of all");
  }
  if (options.list) {
    for (const { id } of selected) console.log(id);
    return 0;
  }
  if (options.export) {
    const synthetic = selected.filter((c) => "spec" in c);
    await exportCases(options.export, synthetic);
    console.log(`${synthetic.length} cases: ${join(options.export, "test_*")}`);
    return 0;
  }
  // Everything that can be wrong about files is found before the run, which may take minutes.
  const partial = options.filter ?? options.profile ?? options.case;
  const directory = options.out ?? (partial === undefined ? defaultDirectory : undefined);
  const merged = await readReports(options.merge);
  if (directory) await makeWritable(directory);
  if (options.updateReadme) await checkTable(options.updateReadme);

  const reports: ConformanceReport[] = [];
  for (const found of options.run ? await findProviders(options.backend) : []) {
    reports.push(await checkWithProgress(found, selection));
  }
  for (const report of merged) addReport(reports, report);
  for (const report of reports) {
    const likely = commonMistakes(report.results).map(({ mistake }) => mistake);
    for (const result of report.results) {
      if (result.outcome === "fail") {
        console.log(`\n${report.backend} ${formatFailure(result, likely)}`);
      }
    }
  }
  for (const text of formatExplanations(reports, selected)) console.log(`\n${text}`);
  console.log();
  for (const report of reports) console.log(formatSummary(report));
  if (partial === undefined) {
    for (const report of reports) {
      const whole = profiles.filter((profile) => passesWhole(report, profile));
      if (whole.length > 0) console.log(`${report.backend} passes whole: ${whole.join(", ")}`);
    }
  }
  if (directory) await writeReports(directory, reports, options.page);
  if (options.markdown) console.log(`\n${supportTable(reports)}`);
  if (options.updateReadme) {
    const fresh = await updateTable(options.updateReadme, reports, !options.check);
    if (!fresh) {
      console.error(`${options.updateReadme}: the table of support is stale; run without --check`);
      return 1;
    }
  }
  const required = (process.env.HEED_REQUIRE ?? "").split(",");
  const failed = reports.some(
    (r) => r.counts.fail > 0 || (r.unavailable !== null && required.includes(r.backend)),
  );
  return failed ? 1 : 0;
}

function selectionOf(options: CliOptions): CheckOptions {
  const { filter, profile, vectors, runs, seed, exhaustive } = options;
  const one = options.case;
  return {
    filter,
    profile,
    vectors,
    runs,
    seed,
    exhaustive,
    ...(one?.startsWith("{") ? { pasted: readPasted(one) } : { id: one }),
  };
}

/** The reports of all files. */
async function readReports(files: readonly string[]): Promise<ConformanceReport[]> {
  const documents = await Promise.all(
    files.map(async (file) => {
      const text = await readFile(file, "utf8").catch((error: unknown) => {
        throw new InvalidArgumentError(`--merge: ${file} cannot be read: ${messageOf(error)}`);
      });
      return parseDocument(text, file);
    }),
  );
  return documents.flatMap(({ reports }) => reports);
}

/** Makes the directory of the reports, and finds out whether files can be written there. */
async function makeWritable(directory: string): Promise<void> {
  const probe = join(directory, `.heed-conformance-${process.pid}`);
  try {
    await mkdir(directory, { recursive: true });
    await writeFile(probe, "");
  } catch (error) {
    throw new InvalidArgumentError(
      `--out: reports cannot be written to ${directory}: ${messageOf(error)}`,
    );
  }
  await rm(probe);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A backend that could not run here may have run elsewhere: that report takes its place. */
function addReport(reports: ConformanceReport[], report: ConformanceReport): void {
  const at = reports.findIndex(
    (r) => r.backend === report.backend && (r.unavailable !== null || report.unavailable !== null),
  );
  if (at < 0) reports.push(report);
  else if (report.unavailable === null) reports[at] = report;
}

async function writeReports(
  directory: string,
  reports: readonly ConformanceReport[],
  page: string,
): Promise<void> {
  const document = makeDocument(reports);
  await writeFileAtomic(join(directory, "report.json"), documentToJson(document));
  await writeFileAtomic(join(directory, "report.md"), reportMarkdown(document));
  await writeFileAtomic(join(directory, "report.html"), reportHtml(document, { page }));
  console.log(`\nreports: ${join(directory, "report.{json,md,html}")}`);
}
