import { open, rm, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { InvalidInputError } from "@heed/core";
import writeFileAtomic from "write-file-atomic";
import { messageOf } from "../message.js";
import { recommend } from "../recommend/recommend.js";
import { reportToCsv } from "../report/csv.js";
import { reportToMarkdown } from "../report/markdown.js";
import type { BenchReport } from "../report/report.js";
import { writeAdvice } from "./advice.js";
import { reportToHtml } from "./html.js";
import type { CliOptions, FileFormat } from "./options.js";

/** The options that name files to write. */
type Outputs = Pick<CliOptions, "files" | "recommendation">;

type Writer = (report: BenchReport, earlier: BenchReport | null) => string | Promise<string>;

const writers: Readonly<Record<FileFormat, Writer>> = {
  json: (report) => `${JSON.stringify(report, null, 2)}\n`,
  csv: reportToCsv,
  markdown: reportToMarkdown,
  html: reportToHtml,
};

/**
 * Writes each file beside its destination and renames it: it is whole or not there. One that cannot
 * be written does not keep the others from being.
 *
 * @param earlier what it is compared with, for formats that show it
 * @returns what could not be written, and why
 */
export async function writeOutputs(
  { files, recommendation }: Outputs,
  report: BenchReport,
  earlier: BenchReport | null,
): Promise<string[]> {
  const lost: string[] = [];
  const attempt = async (option: string, path: string, write: () => Promise<void>) => {
    try {
      await write();
    } catch (error) {
      lost.push(`${option} ${path} could not be written: ${messageOf(error)}`);
    }
  };
  for (const [format, path] of Object.entries(files) as [FileFormat, string][]) {
    await attempt(`--${format}`, path, async () => {
      await writeFileAtomic(path, await writers[format](report, earlier));
    });
  }
  if (recommendation !== null) {
    await attempt("--recommendation", recommendation, () =>
      writeAdvice(recommendation, recommend(report)),
    );
  }
  return lost;
}

/**
 * Checks that every file will find a place: better known before minutes of measuring than after.
 *
 * @throws InvalidInputError naming the option
 */
export async function checkOutputs({ files, recommendation }: Outputs): Promise<void> {
  const wanted = Object.entries(files).map(([format, path]) => [`--${format}`, path] as const);
  if (recommendation !== null) wanted.push(["--recommendation", recommendation]);
  const taken = new Map<string, string>();
  for (const [option, path] of wanted) {
    const other = taken.get(resolve(path));
    if (other !== undefined) {
      throw new InvalidInputError(option, `another file than ${other}'s`, path);
    }
    taken.set(resolve(path), option);
    await checkPlace(option, path);
  }
}

async function checkPlace(option: string, path: string): Promise<void> {
  const expected = "a file in a folder that can be written to";
  const there = await stat(path).catch(() => null);
  if (there && !there.isFile()) {
    const kind = there.isDirectory() ? "a folder" : "no regular file";
    throw new InvalidInputError(option, expected, `${path || '""'}, which is ${kind}`);
  }
  // Tried, since permissions alone do not say it.
  const trial = `${path}.${process.pid}`;
  try {
    await (await open(trial, "wx")).close();
    await rm(trial);
  } catch (cause) {
    throw new InvalidInputError(option, expected, `${path}: ${messageOf(cause)}`, { cause });
  }
}
