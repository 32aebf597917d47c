import writeFileAtomic from "write-file-atomic";
import type { BenchReport } from "../report/report.js";

/** Writes the report beside its destination and renames it: the file is whole or not there. */
export async function writeReport(path: string, report: BenchReport): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(report, null, 2)}\n`);
}
