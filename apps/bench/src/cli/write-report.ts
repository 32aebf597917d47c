import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { dirname } from "node:path";
import writeFileAtomic from "write-file-atomic";
import { reportToCsv } from "../report/csv.js";
import { reportToMarkdown } from "../report/markdown.js";
import type { BenchReport } from "../report/report.js";
import type { CliOptions, FileFormat } from "./options.js";

const writers: Readonly<Record<FileFormat, (report: BenchReport) => string | Promise<string>>> = {
  json: (report) => `${JSON.stringify(report, null, 2)}\n`,
  csv: reportToCsv,
  markdown: reportToMarkdown,
};

/** Writes the report beside each destination and renames it: a file is whole or not there. */
export async function writeReport(files: CliOptions["files"], report: BenchReport): Promise<void> {
  for (const [format, path] of Object.entries(files) as [FileFormat, string][]) {
    await writeFileAtomic(path, await writers[format](report));
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
