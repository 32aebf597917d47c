import type { JSX } from "preact";
import { type Column, columnsFor } from "../../src/report/cells.js";
import type { Row } from "../../src/report/rows.js";

import { Scroll } from "./scroll.js";

interface TableProps {
  readonly rows: readonly Row[];
  /** Also what happens once, and memory. */
  readonly details: boolean;
}

/** Every result, case by case. */
export function ResultTable({ rows, details }: TableProps): JSX.Element {
  const columns = columnsFor(rows, details);
  const cases = [...new Set(rows.map(({ report }) => report))];
  return (
    <Scroll label="Table of results">
      <table class="results">
        <thead>
          <tr>
            <th scope="col">backend</th>
            {columns.map(({ head, about, align }) => (
              <th key={head} scope="col" class={align} title={about}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        {cases.map((report) => (
          <CaseRows
            key={report.id}
            rows={rows.filter((row) => row.report === report)}
            columns={columns}
          />
        ))}
      </table>
    </Scroll>
  );
}

interface CaseRowsProps {
  readonly rows: readonly Row[];
  readonly columns: readonly Column[];
}

function CaseRows({ rows, columns }: CaseRowsProps): JSX.Element {
  const { id, title, source } = (rows[0] as Row).report;
  const best = Math.min(...rows.flatMap(({ numbers }) => numbers?.median ?? []));
  return (
    <tbody>
      <tr class="case">
        <th scope="rowgroup" colSpan={columns.length + 1}>
          <div class="sentence">
            <span class="case-id">{id}</span> <span class="case-title">{title}</span>
            {source.startsWith("https:") && (
              <a href={source} rel="noreferrer" target="_blank">
                source
              </a>
            )}
          </div>
        </th>
      </tr>
      {rows.map((row) => (
        <ContenderRow
          key={row.result.contender}
          row={row}
          columns={columns}
          best={row.numbers?.median === best}
        />
      ))}
    </tbody>
  );
}

interface ContenderRowProps {
  readonly row: Row;
  readonly columns: readonly Column[];
  /** Whether it is the fastest of its case. */
  readonly best: boolean;
}

function ContenderRow({ row, columns, best }: ContenderRowProps): JSX.Element {
  const { result, shown, note } = row;
  return (
    <tr class={best ? "best" : result.status} title={shown?.wrong && note ? note : undefined}>
      <th scope="row">
        {result.contender}
        {best && <span class="visually-hidden">, the fastest</span>}
      </th>
      {shown ? (
        columns.map(({ head, align, cell }) => (
          <td key={head} class={align}>
            {cell(shown)}
          </td>
        ))
      ) : (
        <td class="note" colSpan={columns.length}>
          <div class="sentence">{note}</div>
        </td>
      )}
    </tr>
  );
}

/** What the columns mean. */
export function TableLegend({ rows, details }: TableProps): JSX.Element {
  return (
    <details>
      <summary>What the columns mean</summary>
      <dl class="columns">
        {columnsFor(rows, details).map(({ head, about }) => (
          <div key={head}>
            <dt>{head}</dt>
            <dd>{about}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
