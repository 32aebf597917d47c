import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { dirname } from "node:path";
import writeFileAtomic from "write-file-atomic";
import { reportToCsv } from "../report/csv.js";
import { reportToMarkdown } from "../report/markdown.js";
import type { BenchReport } from "../report/report.js";
import { reportToHtml } from "./html.js";
import type { CliOptions, FileFormat } from "./options.js";

type Writer = (report: BenchReport, earlier: BenchReport | null) => string | Promise<string>;

const writers: Readonly<Record<FileFormat, Writer>> = {
  json: (report) => `${JSON.stringify(report, null, 2)}\n`,
  csv: reportToCsv,
  markdown: reportToMarkdown,
  html: reportToHtml,
};

/**
 * Writes the report beside each destination and renames it: a file is whole or not there.
 *
 * @param earlier what it is compared with, for formats that show it
 */
export async function writeReport(
  files: CliOptions["files"],
  report: BenchReport,
  earlier: BenchReport | null,
): Promise<void> {
  for (const [format, path] of Object.entries(files) as [FileFormat, string][]) {
    await writeFileAtomic(path, await writers[format](report, earlier));
  }
}

/**
 * Checks that a report will find a place: better known before minutes of measuring than after.
 *
 * @throws Error that names the option and the file
 */
export async function checkWritable(format: string, path: string): Promise<void> {
  try {
    await access(dirname(path), constants.W_OK);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`--${format} ${path}: ${message}`, { cause });
  }
}
