import Table from "cli-table3";
import { type Column, columnsFor } from "../report/cells.js";
import {
  describeCeiling,
  describeContender,
  describeMachine,
  describeVersions,
  plural,
} from "../report/describe.js";
import type { BenchReport, ContenderReport } from "../report/report.js";
import { type Row, rowsOf } from "../report/rows.js";
import { type SideBySide, sideBySide } from "../report/side-by-side.js";

const tableStyle = {
  style: { head: [], border: [], compact: true, "padding-left": 1, "padding-right": 1 },
};

/**
 * Everything there is to say to a terminal.
 *
 * @param details also what happens once, and memory
 */
export function renderReport(report: BenchReport, details: boolean = false): string {
  const rows = rowsOf(report);
  const columns = columnsFor(rows, details);
  const speeds = sideBySide(report);
  return [
    renderHead(report),
    renderContenders(report.contenders),
    renderCases(rows, columns),
    ...(speeds ? [renderSideBySide(speeds)] : []),
    renderLegend(columns, report),
  ].join("\n\n");
}

function renderHead({ environments, options }: BenchReport): string {
  const places = environments.flatMap((environment) => [
    describeMachine(environment),
    describeVersions(environment),
    ...(environment.ceiling ? [describeCeiling(environment.ceiling)] : []),
    ...(environment.notes ?? []),
  ]);
  // Merged runs share a machine, which is named once.
  return [...new Set(places), `${options.dtype}, ${plural(options.threads, "thread")}`].join("\n");
}

function renderContenders(contenders: readonly ContenderReport[]): string {
  const width = Math.max(...contenders.map(({ name }) => name.length));
  return contenders.map((c) => `  ${c.name.padEnd(width)}  ${describeContender(c)}`).join("\n");
}

function renderCases(rows: readonly Row[], columns: readonly Column[]): string {
  const table = new Table({
    ...tableStyle,
    head: ["case", "backend", ...columns.map(({ head }) => head)],
    colAligns: ["left", "left", ...columns.map(({ align }) => align)],
    // Beside the names, a sentence takes the place of all the numbers.
    wordWrap: true,
  });
  let previous: Row["report"] | null = null;
  for (const { report, result, shown, note } of rows) {
    const name = report === previous ? "" : report.id;
    previous = report;
    table.push(
      shown
        ? [name, result.contender, ...columns.map(({ cell }) => cell(shown))]
        : [
            name,
            result.contender,
            { colSpan: columns.length, content: wrap(note ?? ""), hAlign: "left" },
          ],
    );
  }
  return table.toString();
}

/** The same contenders in each environment: a column each. */
function renderSideBySide({ unit, environments, lines }: SideBySide): string {
  const table = new Table({
    ...tableStyle,
    head: [unit, "backend", ...environments.map(({ name }) => name)],
    colAligns: ["left", "left", ...environments.map(() => "right" as const)],
  });
  let previous = "";
  for (const { id, contender, cells } of lines) {
    table.push([id === previous ? "" : id, contender, ...cells]);
    previous = id;
  }
  return table.toString();
}

/** A table cell would stretch to its longest line. */
function wrap(text: string, width = 76): string {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= width) {
      lines[lines.length - 1] = `${line} ${word}`;
    } else {
      lines.push(word);
    }
  }
  return lines.join("\n");
}

function renderLegend(columns: readonly Column[], { options }: BenchReport): string {
  const lines = columns.map(({ head, about }) => `${head}: ${about}`);
  return [...lines, `budget: ${options.budget} ms for each backend and case`].join("\n");
}
