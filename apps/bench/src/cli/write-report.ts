import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { dirname } from "node:path";
import writeFileAtomic from "write-file-atomic";
import type { BenchReport } from "../report/report.js";

/** Writes the report beside its destination and renames it: the file is whole or not there. */
export async function writeReport(path: string, report: BenchReport): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(report, null, 2)}\n`);
}

/**
 * Whether the report will find a place: better known before minutes of measuring than after.
 *
 * @returns what stands in the way, or null
 */
export async function whyNotWritable(path: string): Promise<string | null> {
  try {
    await access(dirname(path), constants.W_OK);
    return null;
  } catch (error) {
    return `--json ${path}: ${error instanceof Error ? error.message : String(error)}`;
  }
}
