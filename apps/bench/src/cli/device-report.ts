import { readFile } from "node:fs/promises";
import { type ConformanceReport, parseDocument } from "@heed/conformance";
import {
  conformancePart,
  type DeviceEnvironment,
  deviceReportToJson,
  deviceTitle,
  engineTitle,
  environmentOf,
  makeDeviceReport,
  parseDeviceReport,
} from "@heed/conformance/device-report";
import { HeedError, InvalidInputError } from "@heed/core";
import { Command } from "commander";
import writeFileAtomic from "write-file-atomic";
import { messageOf } from "../message.js";
import { devicePart } from "../report/device-part.js";
import { parseReport } from "../report/parse.js";

interface Options {
  readonly conformance: readonly string[];
  readonly bench?: string;
  readonly environment?: string;
  readonly device?: string;
  readonly note: readonly string[];
  readonly out?: string;
  readonly check: readonly string[];
}

/**
 * The command that makes and checks device reports.
 *
 * @param args without the interpreter and the script
 * @returns the exit code: 1 if a checked file is no device report, 2 for wrong arguments
 */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const options = parseOptions(args);
    if (options.check.length > 0) return await check(options.check);
    await make(options);
    return 0;
  } catch (error) {
    const { code, exitCode } = error as { code?: string; exitCode?: number };
    if (error instanceof HeedError) {
      console.error(`error: ${error.message}`);
      return 2;
    }
    // Commander has printed its own message already.
    if (code?.startsWith("commander.")) return exitCode === 0 ? 0 : 2;
    throw error;
  }
}

function parseOptions(args: readonly string[]): Options {
  return new Command("heed-device-report")
    .description("Makes one small file of the suite's and the benchmark's results on a device.")
    .option("--conformance <files...>", "report.json of heed-conformance, or of its page", list, [])
    .option("--bench <file>", "JSON of heed-bench, or of its page")
    .option("--environment <name>", "the environment of --bench to report, if it has several")
    .option("--device <text>", 'name of the device, such as "MacBook Air M3"')
    .option(
      "--note <text>",
      "what readers should know, such as that other programs ran; repeatable",
      list,
      [],
    )
    .option("--out <file>", "the file to write; default: standard output")
    .option("--check <files...>", "device reports to check, instead of making one", list, [])
    .exitOverride()
    .parse([...args], { from: "user" })
    .opts<Options>();
}

function list(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

async function make(options: Options): Promise<void> {
  const reports: ConformanceReport[] = [];
  const dates: string[] = [];
  for (const file of options.conformance) {
    const document = parseDocument(await read("--conformance", file), file);
    reports.push(...document.reports);
    dates.push(document.created);
  }
  const bench = options.bench === undefined ? null : await readBench(options.bench);
  const measured = bench && devicePart(bench, options.environment);
  if (measured) dates.push(measured.benchmark.date);
  const environment = samePlace(reports, measured?.environment ?? null);
  const notes = [...(environment.notes ?? []), ...options.note];
  const report = makeDeviceReport({
    created: dates.sort().at(-1),
    environment: { ...environment, ...(notes.length > 0 && { notes }) },
    ...(options.device !== undefined && { device: options.device }),
    ...(reports.length > 0 && { conformance: conformancePart(reports) }),
    ...(measured && { benchmark: measured.benchmark }),
    ...(measured?.tuning && { tuning: measured.tuning }),
  });
  const json = deviceReportToJson(report);
  if (options.out === undefined) process.stdout.write(json);
  else await writeFileAtomic(options.out, json);
}

/**
 * The one environment of all results. A page's suite names itself by its user agent, which cannot be compared with
 * what the benchmark says.
 *
 * @throws InvalidInputError if there is none, or if results come from several engines
 */
function samePlace(
  reports: readonly ConformanceReport[],
  measured: DeviceEnvironment | null,
): DeviceEnvironment {
  let environment = measured;
  for (const report of reports) {
    const found = environmentOf(report);
    const runtime = ["node", "deno", "bun"].includes(environment?.engine ?? "");
    if (!found && (!environment || runtime)) {
      const expected = environment
        ? `results of ${environment.engine}`
        : "results of Node, Deno or Bun, or --bench beside them: browsers do not say what they are";
      throw new InvalidInputError("--conformance", expected, report.environment);
    }
    if (!found) continue;
    environment ??= found;
    const { engine } = found;
    const version = environment.versions[engine];
    if (environment.engine !== engine || version !== found.versions[engine]) {
      const expected = `results of ${environment.engine} ${environment.versions[environment.engine] ?? ""}`;
      throw new InvalidInputError("--conformance", expected, report.environment);
    }
  }
  if (!environment) throw new InvalidInputError("files", "--conformance or --bench", "neither");
  return environment;
}

async function readBench(file: string): Promise<ReturnType<typeof parseReport>> {
  const text = await read("--bench", file);
  try {
    return parseReport(JSON.parse(text));
  } catch (cause) {
    throw new InvalidInputError(`--bench ${file}`, "results of the benchmark", messageOf(cause), {
      cause,
    });
  }
}

async function read(option: string, file: string): Promise<string> {
  return readFile(file, "utf8").catch((cause: unknown) => {
    throw new InvalidInputError(option, "a file that can be read", messageOf(cause), { cause });
  });
}

async function check(files: readonly string[]): Promise<number> {
  let code = 0;
  for (const file of files) {
    try {
      const report = parseDeviceReport(await read("--check", file), file);
      console.log(`${file}: ${engineTitle(report)} on ${deviceTitle(report)}`);
    } catch (error) {
      if (!(error instanceof HeedError)) throw error;
      console.error(error.message);
      code = 1;
    }
  }
  return code;
}
