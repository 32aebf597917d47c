import { markdownTable } from "markdown-table";
import { columnsFor } from "./cells.js";
import {
  describeCeiling,
  describeContender,
  describeMachine,
  describeVersions,
} from "./describe.js";
import { markdownCode, markdownText } from "./escape.js";
import type { BenchReport } from "./report.js";
import { rowsOf } from "./rows.js";
import { sideBySide } from "./side-by-side.js";

/** The results as a document of GitHub's Markdown. */
export function reportToMarkdown(report: BenchReport): string {
  const rows = rowsOf(report);
  const columns = columnsFor(rows, false);
  const table = markdownTable(
    [
      ["case", "backend", ...columns.map(({ head }) => head)],
      ...rows.map(({ report: c, result, shown, note }) => [
        markdownText(c.id),
        markdownCode(result.contender),
        ...(shown
          ? columns.map(({ cell }) => markdownText(cell(shown)))
          : // Markdown has no cells that span: the sentence stands in the last.
            columns.map((_, i) => (i === columns.length - 1 ? markdownText(note ?? "") : ""))),
      ]),
    ],
    { align: ["l", "l", ...columns.map(({ align }) => (align === "left" ? "l" : "r"))] },
  );
  const environments = report.environments.flatMap((environment) => [
    `- **${markdownText(environment.name)}**: ${markdownText(`${describeMachine(environment)}; ${describeVersions(environment)}`)}`,
    ...(environment.ceiling ? [`  - ${markdownText(describeCeiling(environment.ceiling))}`] : []),
    ...(environment.notes ?? []).map((note) => `  - ${markdownText(note)}`),
  ]);
  const contenders = report.contenders.map(
    (contender) =>
      `- ${markdownCode(contender.name)}: ${markdownText(describeContender(contender))}`,
  );
  const legend = columns.map(({ head, about }) => `- *${head}*: ${markdownText(about)}`);
  const speeds = speedsToMarkdown(report);
  return [environments, contenders, [table], ...(speeds === null ? [] : [[speeds]]), legend]
    .map((lines) => lines.join("\n"))
    .join("\n\n")
    .concat("\n");
}

/** The table that has a column for each environment; null for a report of one. */
export function speedsToMarkdown(report: BenchReport): string | null {
  const speeds = sideBySide(report);
  if (speeds === null) return null;
  const { unit, environments, lines } = speeds;
  return markdownTable(
    [
      [unit, "backend", ...environments.map(({ name }) => markdownText(name))],
      ...lines.map(({ id, contender, cells }) => [
        markdownText(id),
        markdownCode(contender),
        ...cells,
      ]),
    ],
    { align: ["l", "l", ...environments.map(() => "r")] },
  );
}
