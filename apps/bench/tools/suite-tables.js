// Tables of the suites `decode` and `sparse` for this app's README, and of several engines for the repository's, out of a
// result file.
import { markdownTable } from "markdown-table";
import { describeMachine, describeVersions } from "../dist/report/describe.js";
import { formatBytes, formatNumber } from "../dist/report/format.js";
import { speedsToMarkdown } from "../dist/report/markdown.js";
import { ownName } from "../dist/report/merge-environments.js";
import { rowsOf } from "../dist/report/rows.js";

const unique = (values) => [...new Set(values)];
const cellOf = (row) =>
  row === undefined
    ? ""
    : row.numbers === null
      ? row.result.status
      : formatNumber(row.numbers.median);

/** Machine, versions and contenders in a sentence or two. */
function circumstances(report) {
  const [environment] = report.environments;
  const { dtype, threads, budget } = report.options;
  const contenders = report.contenders
    .filter(({ status }) => status === "ready")
    .map(({ name, info }) => `\`${name}\` is ${[info.runtime, ...info.features].join(" with ")}`);
  return `${describeMachine(environment)}; ${describeVersions(environment)}; ${dtype}, ${threads} thread, ${budget} ms for each backend and case. ${contenders.join(", ")}.`;
}

/** Ms of a step: a line for each storage, a column for each contender and length. */
export function decodeTable(report) {
  const rows = rowsOf(report).filter(({ report: c }) => c.suite === "decode");
  const storageOf = (c) => c.id.replace(/^decode-(?:b\d+-)?\d+-/, "");
  const columns = unique(rows.map(({ report: c }) => `${c.sizes.batch} ${c.sizes.length}`))
    .map((key) => key.split(" ").map(Number))
    .flatMap(([batch, length]) =>
      unique(rows.map(({ result }) => result.contender)).map((name) => ({ batch, length, name })),
    );
  const find = (storage, { batch, length, name }) =>
    rows.find(
      ({ report: c, result }) =>
        storageOf(c) === storage &&
        c.sizes.batch === batch &&
        c.sizes.length === length &&
        result.contender === name,
    );
  const longest = Math.max(...rows.map(({ report: c }) => c.sizes.length));
  const sizeOf = (storage) => {
    const bytes = rows
      .filter(({ report: c }) => storageOf(c) === storage && c.sizes.length === longest)
      .map(({ numbers }) => numbers?.cacheBytes ?? null)
      .find((one) => one !== null);
    return bytes === undefined ? "" : formatBytes(bytes);
  };
  const head = ({ batch, length, name }) =>
    `\`${name}\`, ${length}${batch === 1 ? "" : ` × ${batch}`}`;
  const storages = unique(rows.map(({ report: c }) => storageOf(c)));
  const table = markdownTable(
    [
      ["ms of a step", ...columns.map(head), `cache at ${longest}`],
      ...storages.map((storage) => [
        storage.replace("-", " "),
        ...columns.map((column) => cellOf(find(storage, column))),
        sizeOf(storage),
      ]),
    ],
    { align: ["l", ...columns.map(() => "r"), "r"] },
  );
  return `${circumstances(report)}\n\n${table}`;
}

/** Ms of a call: a line for each case, with the share of tiles that are skipped. */
export function sparseTable(report) {
  const rows = rowsOf(report).filter(({ report: c }) => c.suite === "sparse");
  const names = unique(rows.map(({ result }) => result.contender));
  const cases = unique(rows.map(({ report: c }) => c));
  const table = markdownTable(
    [
      ["ms of a call", "tiles skipped", ...names.map((name) => `\`${name}\``)],
      ...cases.map((c) => [
        c.id,
        c.tiles ? `${(100 * c.tiles.skipped).toFixed(0)} %` : "–",
        ...names.map((name) =>
          cellOf(rows.find((row) => row.report === c && row.result.contender === name)),
        ),
      ]),
    ],
    { align: ["l", "r", ...names.map(() => "r")] },
  );
  return `${circumstances(report)}\n\n${table}`;
}

/** GFLOP/s: a line for each case and contender, a column for each engine; before it the machine and the engines. */
export function enginesTable(report) {
  const { environments, contenders, options } = report;
  const [{ cpu, cores, platform }] = environments;
  const budget = `${options.budget} ms for each backend and case`;
  const machine = `${describeMachine({ cpu, cores, platform })}; ${options.dtype}, ${options.threads} thread, ${budget}:`;
  const engines = environments.map((environment) => {
    // Providers of onnxruntime are the same in each.
    const features = contenders
      .filter(({ environment: name }) => name === environment.name)
      .map(({ name, info }) => [name, (info?.features ?? []).filter((f) => !/^provider/.test(f))])
      .filter(([, own]) => own.length > 0)
      .map(([name, own]) => `\`${ownName(name, environment)}\` with ${own.join(", ")}`);
    return `- ${[environment.name, describeVersions(environment), ...features].join("; ")}`;
  });
  return `${machine}\n\n${engines.join("\n")}\n\n${speedsToMarkdown(report)}`;
}
