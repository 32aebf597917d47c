import { readFile, rename, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type AttentionProvider, reference } from "@heed/core";
import { SingleBar } from "cli-progress";
import { Command, InvalidArgumentError, Option } from "commander";
import { type Profile, profiles } from "./case.js";
import { type CheckOptions, checkBackend, selectCases } from "./check.js";
import {
  type ConformanceReport,
  formatFailure,
  formatSummary,
  reportToJson,
  supportTable,
} from "./report.js";

interface CliOptions {
  readonly backend: readonly string[];
  readonly filter?: string;
  readonly profile?: Profile;
  readonly json?: string;
  readonly markdown?: boolean;
  readonly updateReadme?: string;
  readonly check?: boolean;
  readonly list?: boolean;
  readonly vectors: boolean;
}

/** The backends of this project, tried where none is named. */
const known = ["reference", "js", "wasm", "webgpu", "onnx"] as const;

/** @returns the process's exit code: 0 passed, 1 something failed, 2 a wrong argument */
export async function main(argv: readonly string[]): Promise<number> {
  const command = new Command("heed-conformance")
    .description("Runs the conformance suite on backends and says exactly what each gets wrong.")
    .option(
      "-b, --backend <name or file…>",
      "js, wasm, …: the package @heed/backend-NAME; or a module that exports a provider",
      (value: string, list: readonly string[]) => [...list, ...value.split(",")],
      [] as readonly string[],
    )
    .option("-f, --filter <text>", "only cases whose id contains the text")
    .addOption(new Option("-p, --profile <name>", "only cases of a profile").choices(profiles))
    .option("--json <file>", "write the reports as JSON")
    .option("--markdown", "print the table of support as Markdown")
    .option("--update-readme <file>", "put the table between the markers of a file")
    .option("--check", "with --update-readme: change nothing, and fail if the table is stale")
    .option("--list", "print the ids of the selected cases, and run nothing")
    .option("--no-vectors", "leave recorded vectors out")
    .exitOverride();
  try {
    command.parse([...argv], { from: "user" });
    return await run(command.opts<CliOptions>());
  } catch (error) {
    if (error instanceof InvalidArgumentError) {
      console.error(`error: ${error.message}`);
      return 2;
    }
    const { code, exitCode } = error as { code?: string; exitCode?: number };
    // Commander has printed its own message already.
    if (code?.startsWith("commander.")) return exitCode === 0 ? 0 : 2;
    throw error;
  }
}

async function run(options: CliOptions): Promise<number> {
  const { filter, profile, vectors } = options;
  const selection: CheckOptions = { filter, profile, vectors };
  const selected = selectCases(selection);
  if (selected.length === 0) throw new InvalidArgumentError("no case is selected");
  if (options.list) {
    for (const { id } of selected) console.log(id);
    return 0;
  }
  const providers = await findProviders(options.backend);
  const reports: ConformanceReport[] = [];
  for (const provider of providers) reports.push(await checkWithProgress(provider, selection));

  for (const report of reports) {
    for (const result of report.results) {
      if (result.outcome === "fail") console.log(`\n${report.backend} ${formatFailure(result)}`);
    }
  }
  console.log();
  for (const report of reports) console.log(formatSummary(report));
  if (options.json) await writeWhole(options.json, reportToJson(reports));
  if (options.markdown) console.log(`\n${supportTable(reports)}`);
  const required = (process.env.HEED_REQUIRE ?? "").split(",");
  const failed = reports.some(
    (r) => r.counts.fail > 0 || (r.unavailable !== null && required.includes(r.backend)),
  );
  if (options.updateReadme) {
    const fresh = await updateTable(options.updateReadme, supportTable(reports), !options.check);
    if (!fresh) {
      console.error(`${options.updateReadme}: the table of support is stale; run without --check`);
      return 1;
    }
  }
  return failed ? 1 : 0;
}

async function checkWithProgress(
  provider: AttentionProvider,
  selection: CheckOptions,
): Promise<ConformanceReport> {
  const bar = new SingleBar({
    format: `${provider.name} {bar} {value}/{total} {id}`,
    stream: process.stderr,
    noTTYOutput: false,
    hideCursor: true,
    clearOnComplete: true,
  });
  let started = false;
  const report = await checkBackend(provider, {
    ...selection,
    onResult: ({ id }, done, total) => {
      if (!started) bar.start(total, 0, { id });
      started = true;
      bar.update(done, { id });
    },
  });
  if (started) bar.stop();
  return report;
}

/** Providers by name or file; without names, every backend that can be resolved from here. */
async function findProviders(names: readonly string[]): Promise<AttentionProvider[]> {
  if (names.length > 0) return Promise.all(names.map((name) => loadProvider(name)));
  const found: AttentionProvider[] = [];
  for (const name of known) {
    if (name === "reference" || resolvable(`@heed/backend-${name}`)) {
      found.push(await loadProvider(name));
    }
  }
  return found;
}

/** Packages are looked up from the working directory: this one depends on no backend. */
const fromHere = createRequire(pathToFileURL(resolve("package.json")));

function resolvable(specifier: string): boolean {
  try {
    fromHere.resolve(specifier);
    return true;
  } catch {
    return false;
  }
}

async function loadProvider(name: string): Promise<AttentionProvider> {
  if (name === "reference") return reference();
  const isFile = /[./\\]/.test(name);
  if (!isFile && !resolvable(`@heed/backend-${name}`)) {
    throw new InvalidArgumentError(
      `no backend ${name}: @heed/backend-${name} is not installed here. Known are ${known.join(", ")}, or the path of a module.`,
    );
  }
  const file = isFile ? resolve(name) : fromHere.resolve(`@heed/backend-${name}`);
  let exports: Record<string, unknown>;
  try {
    exports = await import(pathToFileURL(file).href);
  } catch (error) {
    throw new InvalidArgumentError(`${name} cannot be imported: ${String(error)}`);
  }
  const candidates = [exports[name], exports.default, ...Object.values(exports)];
  for (const candidate of candidates) {
    const provider = typeof candidate === "function" ? tryCall(candidate) : candidate;
    if (isProvider(provider)) return provider;
  }
  throw new InvalidArgumentError(`${name} exports no provider: { name, load } or a function of it`);
}

/** A class, or a function that wants arguments, is not a provider's function. */
function tryCall(candidate: unknown): unknown {
  try {
    return (candidate as () => unknown)();
  } catch {
    return undefined;
  }
}

function isProvider(value: unknown): value is AttentionProvider {
  const { name, load } = (value ?? {}) as Partial<AttentionProvider>;
  return typeof name === "string" && typeof load === "function";
}

const begin = "<!-- support table: generated by `pnpm conformance --update-readme README.md` -->";
const end = "<!-- end of the support table -->";

/** @returns whether the file's table is (now) the given one */
async function updateTable(file: string, table: string, write: boolean): Promise<boolean> {
  const text = await readFile(file, "utf8");
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) {
    throw new InvalidArgumentError(`${file} lacks the lines "${begin}" and "${end}"`);
  }
  const updated = `${text.slice(0, from + begin.length)}\n\n${table}\n\n${text.slice(to)}`;
  if (updated === text) return true;
  if (write) await writeWhole(file, updated);
  return write;
}

/** All or nothing: an interrupted run leaves no half-written file. */
async function writeWhole(file: string, text: string): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  await writeFile(temporary, text);
  await rename(temporary, file);
}
