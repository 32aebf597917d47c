import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { FloatDType } from "@heed/core";
import { parseSizes } from "@heed/splice/feeds";
import { Command, InvalidArgumentError, Option, type OutputConfiguration } from "commander";
import { defaultThreshold } from "../compare/compare.js";
import { backendNames, mostThreads } from "../contenders/backends.js";
import { type EngineName, engineNames } from "../engines/names.js";
import { messageOf } from "../message.js";
import { type ModelRequest, modelRequest } from "../model/request.js";
import { peerNames } from "../peers/peers.js";
import {
  defaultBudget,
  defaultRequest,
  defaultTuneBudget,
  type RunRequest,
  selectBackends,
  workloadsOf,
} from "../request.js";
import { parseWorkloads } from "../workloads/file.js";
import { customWorkload } from "../workloads/generated.js";
import { selectNames, selectWorkloads, suiteNames } from "../workloads/select.js";
import { parseShape } from "../workloads/shape.js";
import type { Workload } from "../workloads/workload.js";

/** The command line's options, checked. */
export interface CliOptions {
  readonly request: RunRequest;
  /** Processes to measure in, one after another. */
  readonly launches: number;
  /** Engines to measure in, after Node. */
  readonly engines: readonly EngineName[];
  /** A path to write the recommendation to, for `createAttention({ select })`. */
  readonly recommendation: string | null;
  readonly list: boolean;
  /** Also what happens once, and memory. */
  readonly details: boolean;
  /** A port to serve the web page at instead of measuring; 0: any. */
  readonly page: number | null;
  /** A report to show instead of measuring. */
  readonly from: string | null;
  /** An earlier report to compare with. */
  readonly compare: string | null;
  /** Change in percent up to which a comparison calls it noise. */
  readonly threshold: number;
  /** Paths to write the report to, by format. */
  readonly files: Readonly<Partial<Record<FileFormat, string>>>;
}

export const fileFormats = ["json", "csv", "markdown", "html"] as const;
export type FileFormat = (typeof fileFormats)[number];

/** As commander gives them, after the parsers below. */
interface RawOptions
  extends Partial<Record<FileFormat, string>>,
    Partial<Record<EngineName, true>> {
  readonly backends?: readonly string[];
  readonly peers?: true | readonly string[];
  readonly suite?: readonly string[];
  readonly cases?: readonly string[];
  readonly shape?: readonly Workload[];
  readonly workloads?: readonly Workload[];
  readonly model?: string;
  readonly feeds?: string;
  readonly random?: string;
  readonly dtype: FloatDType;
  readonly threads: number;
  readonly budget?: number;
  readonly samples?: number;
  readonly launches: number;
  readonly quick?: true;
  readonly ceiling?: true;
  readonly timeWrong?: true;
  readonly tune?: true | number;
  readonly recommendation?: string;
  readonly list?: true;
  readonly details?: true;
  readonly page?: true | number;
  readonly from?: string;
  readonly compare?: string;
  readonly threshold: number;
}

const defaultPort = 4173;
const quickBudget = 120;
/** Every model and every peer within a quarter of an hour on two cores. */
const peersBudget = 400;
/** A model has many attentions. */
const modelBudget = 400;
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
  const chosen = { ...chooseCases(raw), model: chooseModel(command, raw) };
  try {
    workloadsOf(chosen);
  } catch (error) {
    command.error(`error: ${messageOf(error)}`);
  }
  if (raw.backends?.length === 0 && !raw.peers) {
    command.error("error: option '--backends <names>' names none, and there are no --peers");
  }
  return {
    request: {
      ...chosen,
      backends: raw.backends ?? defaultRequest.backends,
      peers: raw.peers === true ? peerNames : (raw.peers ?? []),
      dtype: raw.dtype,
      threads: raw.threads,
      budget: raw.budget ?? usualBudget(raw),
      samples: raw.samples ?? null,
      // The page's plots want a roof.
      ceiling: raw.ceiling ?? raw.html !== undefined,
      timeWrong: raw.timeWrong ?? false,
      tune: raw.tune === true ? defaultTuneBudget : (raw.tune ?? null),
    },
    launches: raw.launches,
    engines: engineNames.filter((name) => raw[name]),
    recommendation: raw.recommendation ?? null,
    list: raw.list ?? false,
    details: raw.details ?? false,
    page: raw.page === true ? defaultPort : (raw.page ?? null),
    from: raw.from ?? null,
    compare: raw.compare ?? null,
    threshold: raw.threshold,
    files: Object.fromEntries(
      fileFormats.flatMap((format) => (raw[format] === undefined ? [] : [[format, raw[format]]])),
    ),
  };
}

function createCommand(): Command {
  return new Command("heed-bench")
    .description("Which backend of attention, on this machine, for my model?")
    .option(
      "--backends <names>",
      `of ${backendNames.join(", ")}; wasm@2 for threads of its own, onnx:wasm for what it runs on, wasm:baseline for a build; or the path of a module that exports a provider, such as ./mine.js`,
      (text) => checked(() => selectBackends(list(text))),
    )
    .option("--peers [names]", `others to compare with: ${peerNames.join(", ")}`, (text) =>
      checked(() => selectNames("peers", some(list(text)), peerNames)),
    )
    .option(
      "--suite <names>",
      `of ${suiteNames.join(", ")}, patterns (sweep-*), or cluster by itself`,
      (text) => checked(() => caseNames(list(text))),
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
    .option(
      "--model <file>",
      "an ONNX model: each of its attentions with its real tensors, and the whole of it",
    )
    .option("--feeds <file>", "for --model: a file of numpy.savez with an array for each input")
    .option(
      "--random <sizes>",
      "for --model: random feeds of these sizes (default: batch=1,length=128)",
      (text) => checked(() => parseSizes(text) && text),
    )
    .addOption(
      new Option("--dtype <dtype>", "of the inputs; recorded tensors are rounded to it")
        .choices(["float32", "float16", "float64"])
        .default("float32"),
    )
    .option(
      "--threads <n>",
      "for backends and peers that take threads",
      (text) => {
        const threads = integer(text);
        if (threads > mostThreads) throw new InvalidArgumentError(`more than ${mostThreads}`);
        return threads;
      },
      1,
    )
    .option("--samples <n>", "timed calls of each contender and case, whatever they cost", integer)
    .option(
      "--budget <ms>",
      `time for each contender and case (default: ${defaultBudget}, with peers ${peersBudget}, with a model ${modelBudget})`,
      integer,
    )
    .option(
      "--launches <n>",
      "processes that share the budget, each with its own luck, for comparisons case by case",
      integer,
      1,
    )
    .option("--quick", "a first impression: less time, and no large cases unless named")
    .option(
      "--ceiling",
      "measure what this machine can do at best, and say how near each came; --html does so",
    )
    .option("--time-wrong", "time also what computes something wrong; it stays marked as wrong")
    .option(
      "--tune [ms]",
      `have webgpu measure its kernels and their sizes for each case before it is timed (default: ${defaultTuneBudget})`,
      integer,
    )
    .option("--details", "show also what happens once, and peak memory")
    .option("--json <file>", "write everything measured to a file")
    .option("--csv <file>", "write a line for each result")
    .option("--markdown <file>", "write the table as Markdown")
    .option("--html <file>", "write a page with plots, in one file")
    .option("--recommendation <file>", "write which backend to use, for createAttention's select")
    .option("--chromium", "measure in a headless chromium, too, and put its results beside")
    .option("--firefox", "the same in Firefox")
    .option("--webkit", "the same in WebKitGTK, which has Safari's engine")
    .option("--deno", "the same in Deno")
    .option("--bun", "the same in Bun")
    .option(
      "--compare <file>",
      "compare with an earlier --json file: what is signal, what is noise",
    )
    .option(
      "--threshold <percent>",
      "change up to which a comparison calls it noise",
      integer,
      100 * defaultThreshold,
    )
    .option(
      "--page [port]",
      `measure nothing, but serve the web page to this machine (default port: ${defaultPort})`,
      integer,
    )
    .option("--from <file>", "measure nothing, but show a --json file")
    .option("--list", "list cases, backends and peers, and stop")
    .allowExcessArguments(false)
    .exitOverride();
}

function usualBudget({ quick, peers, model }: RawOptions): number {
  if (quick) return quickBudget;
  return peers ? peersBudget : model === undefined ? defaultBudget : modelBudget;
}

function chooseCases(raw: RawOptions): Pick<RunRequest, "cases" | "own"> {
  const named = [...(raw.suite ?? []), ...(raw.cases ?? [])];
  const own = [...(raw.shape ?? []), ...(raw.workloads ?? [])];
  if (named.length > 0 || own.length > 0 || raw.model !== undefined) return { cases: named, own };
  if (!raw.quick) return { cases: defaultRequest.cases, own };
  const small = selectWorkloads(defaultRequest.cases).filter(({ flops }) => flops <= quickFlops);
  return { cases: small.map(({ id }) => id), own };
}

function chooseModel(command: Command, { model, feeds, random }: RawOptions): ModelRequest | null {
  if (model === undefined) {
    if ((feeds ?? random) !== undefined) command.error("error: --feeds and --random need --model");
    return null;
  }
  if (feeds !== undefined && random !== undefined) {
    command.error("error: --feeds and --random are one or the other");
  }
  if (command.getOptionValueSource("dtype") === "cli") {
    command.error(
      "error: --model has the tensors of the model, so --dtype has no meaning beside it",
    );
  }
  return modelRequest(model, { feeds: feeds ?? null, random: random ?? null });
}

/** Checks them now, so that the option at fault is named. */
function caseNames(names: readonly string[]): readonly string[] {
  selectWorkloads(some(names));
  return names;
}

function some(names: readonly string[]): readonly string[] {
  if (names.length === 0) throw new RangeError("it names nothing");
  return names;
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
    throw new InvalidArgumentError(messageOf(error));
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
