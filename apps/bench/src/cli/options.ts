import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { FloatDType } from "@heed/core";
import { Command, InvalidArgumentError, Option, type OutputConfiguration } from "commander";
import { backendByName, backendNames, defaultBackendNames } from "../contenders/backends.js";
import { peerNames } from "../peers/peers.js";
import { parseWorkloads } from "../workloads/file.js";
import { customWorkload } from "../workloads/generated.js";
import { selectNames, selectWorkloads, suiteNames } from "../workloads/select.js";
import { parseShape } from "../workloads/shape.js";
import type { Workload } from "../workloads/workload.js";

/** What the command line asks for, checked. */
export interface CliOptions {
  readonly workloads: readonly Workload[];
  readonly backends: readonly string[];
  readonly peers: readonly string[];
  readonly dtype: FloatDType;
  readonly threads: number;
  readonly budget: number;
  readonly samples: number | null;
  readonly ceiling: boolean;
  readonly list: boolean;
  /** A path to write the report to. */
  readonly json: string | null;
}

/** As commander gives them, after the parsers below. */
interface RawOptions {
  readonly backends?: readonly string[];
  readonly peers?: true | readonly string[];
  readonly suite?: readonly string[];
  readonly cases?: readonly string[];
  readonly shape?: readonly Workload[];
  readonly workloads?: readonly Workload[];
  readonly dtype: FloatDType;
  readonly threads: number;
  readonly budget?: number;
  readonly samples?: number;
  readonly quick?: true;
  readonly ceiling?: true;
  readonly list?: true;
  readonly json?: string;
}

/** ms for one contender and case: everything but the slowest fits into two minutes. */
const normalBudget = 1000;
const quickBudget = 120;
/** Operations past which `--quick` leaves a case out, unless it is named. */
const quickFlops = 2e9;

/**
 * Reads the command line.
 *
 * @param args without the interpreter and the script
 * @throws CommanderError for wrong arguments, and for `--help` with exit code 0
 */
export function parseOptions(
  args: readonly string[],
  output: OutputConfiguration = {},
): CliOptions {
  const command = createCommand().configureOutput(output);
  command.parse([...args], { from: "user" });
  const raw = command.opts<RawOptions>();
  return {
    workloads: chooseWorkloads(raw),
    backends: raw.backends ?? defaultBackendNames,
    peers: raw.peers === true ? peerNames : (raw.peers ?? []),
    dtype: raw.dtype,
    threads: raw.threads,
    budget: raw.budget ?? (raw.quick ? quickBudget : normalBudget),
    samples: raw.samples ?? null,
    ceiling: raw.ceiling ?? false,
    list: raw.list ?? false,
    json: raw.json ?? null,
  };
}

function createCommand(): Command {
  return new Command("heed-bench")
    .description("Which backend of attention, on this machine, for my model?")
    .option(
      "--backends <names>",
      `of ${backendNames.join(", ")}; wasm@2 for threads of its own`,
      (text) => checked(() => backendSpecs(list(text))),
    )
    .option("--peers [names]", `others to compare with: ${peerNames.join(", ")}`, (text) =>
      checked(() => selectNames("peers", list(text), peerNames)),
    )
    .option("--suite <names>", `of ${suiteNames.join(", ")}, or patterns (sweep-*)`, (text) =>
      checked(() => caseNames(list(text))),
    )
    .option("--cases <names>", "ids, suites or patterns (llama*)", (text) =>
      checked(() => caseNames(list(text))),
    )
    .option(
      "--shape <shape>",
      "a shape of your own, e.g. B1,Hq32,Hkv8,Lq1,Lk4096,D128,causal; repeatable",
      (text, before: readonly Workload[] = []) => [
        ...before,
        checked(() => customWorkload(parseShape(text))),
      ],
    )
    .option("--workloads <file>", "a JSON file of shapes of your own", (path) =>
      checked(() => parseWorkloads(JSON.parse(readFileSync(path, "utf8")))),
    )
    .addOption(
      new Option("--dtype <dtype>", "of the inputs; recorded tensors are rounded to it")
        .choices(["float32", "float16", "float64"])
        .default("float32"),
    )
    .option("--threads <n>", "for backends and peers that take threads", integer, 1)
    .option("--samples <n>", "timed calls of each contender and case, whatever they cost", integer)
    .option("--budget <ms>", `time for each contender and case (default: ${normalBudget})`, integer)
    .option("--quick", "a first impression: less time, and no large cases unless named")
    .option("--ceiling", "measure what this machine can do at best, and say how near each came")
    .option("--json <file>", "write everything measured to a file")
    .option("--list", "list cases, backends and peers, and stop")
    .allowExcessArguments(false)
    .exitOverride();
}

function chooseWorkloads(raw: RawOptions): readonly Workload[] {
  const named = [...(raw.suite ?? []), ...(raw.cases ?? [])];
  const own = [...(raw.shape ?? []), ...(raw.workloads ?? [])];
  if (named.length > 0) return [...selectWorkloads(named), ...own];
  if (own.length > 0) return own;
  const standard = selectWorkloads(["standard"]);
  return raw.quick ? standard.filter(({ flops }) => flops <= quickFlops) : standard;
}

/** Checks them now, so that the option at fault is named. */
function caseNames(names: readonly string[]): readonly string[] {
  selectWorkloads(names);
  return names;
}

/** Checks them now: making a contender loads nothing. */
function backendSpecs(specs: readonly string[]): readonly string[] {
  const names = specs.map((spec) => spec.split("@")[0] as string);
  selectNames("backends", names, backendNames);
  for (const spec of specs) backendByName(spec, { threads: 1 });
  return [...new Set(specs)];
}

function list(text: string): string[] {
  return text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

/** Commander says which option it was, and exits as for any wrong argument. */
function checked<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}

function integer(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError("not an integer ≥ 1");
  return number;
}

/** More threads than this machine runs at once measure the scheduler. */
export function threadsWarning(threads: number): string | null {
  const cores = availableParallelism();
  return threads > cores ? `--threads ${threads} is more than this machine's ${cores} cores` : null;
}
