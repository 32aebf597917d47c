import { Command, InvalidArgumentError, Option } from "commander";
import { type Profile, profiles } from "../run/case.js";

export interface CliOptions {
  readonly backend: readonly string[];
  readonly filter?: string;
  readonly profile?: Profile;
  readonly case?: string;
  readonly exhaustive?: boolean;
  readonly runs?: number;
  readonly seed?: number;
  readonly vectors: boolean;
  readonly list?: boolean;
  readonly export?: string;
  readonly out?: string;
  /** False: only the reports of `merge` are looked at. */
  readonly run: boolean;
  readonly merge: readonly string[];
  readonly page: string;
  readonly markdown?: boolean;
  readonly updateReadme?: string;
  readonly check?: boolean;
}

/** Default directory for the reports of `pnpm conformance`. */
export const defaultDirectory = "conformance-report";

/** Address at which `pnpm conformance:page` serves the suite's page. */
const defaultPage = "http://localhost:5177/";

/**
 * Reads the command line. Throws commander's errors, which carry an exit code; their messages are
 * printed already.
 */
export function parseOptions(argv: readonly string[]): CliOptions {
  const list = (value: string, before: readonly string[]): string[] => [
    ...before,
    ...value.split(","),
  ];
  return new Command("heed-conformance")
    .description("Runs the conformance suite on backends and says exactly what each gets wrong.")
    .option(
      "-b, --backend <name or file…>",
      "js, wasm, …: the package @heed/backend-NAME; or a module that exports a provider",
      list,
      [],
    )
    .option("-f, --filter <text>", "only cases whose id contains the text")
    .addOption(new Option("-p, --profile <name>", "only cases of a profile").choices(profiles))
    .option("-c, --case <id or JSON>", "one case: its id, or itself, as a failing law prints it")
    .option("--exhaustive", "full crosses and many more random problems: minutes for each backend")
    .option("--runs <count>", "random problems for each law", integer)
    .option("--seed <number>", "of the random problems", integer)
    .option("--no-vectors", "leave recorded vectors out")
    .option("--list", "print the ids of the selected cases, and run nothing")
    .option(
      "--export <directory>",
      "write the selected cases as tests in ONNX's own layout, for any ONNX runtime, and run nothing",
    )
    .option(
      "-o, --out <directory>",
      `write report.json, report.md and report.html; default ${defaultDirectory}, where no cases are selected`,
    )
    .option("--merge <file…>", "reports made elsewhere, such as by the page, to add", list, [])
    .option("--no-run", "run nothing, and show only the reports that --merge names")
    .option("--page <address>", "where the links of the HTML report lead", defaultPage)
    .option("--markdown", "print the table of support as Markdown")
    .option("--update-readme <file>", "put the table between the markers of a file")
    .option("--check", "with --update-readme: change nothing, and fail if the table is stale")
    .exitOverride()
    .parse([...argv], { from: "user" })
    .opts<CliOptions>();
}

function integer(value: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 0) {
    throw new InvalidArgumentError("an integer ≥ 0 is wanted");
  }
  return number;
}
