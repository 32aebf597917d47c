import { Folded, Scroll, useNarrow } from "@heed/page";
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { type Column, columnsFor } from "../../src/report/cells.js";
import { formatNumber } from "../../src/report/format.js";
import type { CaseReport } from "../../src/report/report.js";
import type { Row } from "../../src/report/rows.js";

interface TableProps {
  readonly rows: readonly Row[];
  /** Also what happens once, and memory. */
  readonly details: boolean;
}

/** Rows up to which all of them are shown at once, where there is room. */
const fewRows = 40;
/** Heads of the columns that a narrow screen shows. */
const essential = new Set(["error", "median ms", "× first"]);

/** Every result, case by case: in one table where that is short, and each case folded where it is not. */
export function ResultTable({ rows, details }: TableProps): JSX.Element {
  const narrow = useNarrow();
  const whole = useSignal(false);
  const all = columnsFor(rows, details);
  const columns =
    narrow && !whole.value && !details ? all.filter(({ head }) => essential.has(head)) : all;
  const cases = [...new Set(rows.map(({ report }) => report))];
  const rowsOf = (report: CaseReport) => rows.filter((row) => row.report === report);
  if (!narrow && rows.length <= fewRows) {
    return (
      <Scroll label="Table of results">
        <table class="results">
          <Head columns={columns} />
          {cases.map((report) => (
            <CaseRows key={report.id} rows={rowsOf(report)} columns={columns} titled={true} />
          ))}
        </table>
      </Scroll>
    );
  }
  return (
    <>
      {narrow && (
        <label class="switch">
          <input
            type="checkbox"
            checked={whole.value}
            onChange={(event) => {
              whole.value = event.currentTarget.checked;
            }}
          />
          all columns
        </label>
      )}
      <div class="cases">
        {cases.map((report, i) => (
          <Folded
            key={report.id}
            open={i === 0}
            summary={<CaseSummary report={report} rows={rowsOf(report)} />}
          >
            {() => (
              <>
                <p class="quiet">
                  <CaseTitle report={report} />
                </p>
                <Scroll label={`Results of ${report.id}`}>
                  <table class="results">
                    <Head columns={columns} />
                    <CaseRows rows={rowsOf(report)} columns={columns} titled={false} />
                  </table>
                </Scroll>
              </>
            )}
          </Folded>
        ))}
      </div>
    </>
  );
}

function Head({ columns }: { columns: readonly Column[] }): JSX.Element {
  return (
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
  );
}

/** A case in a line: its name, and who is fastest. */
function CaseSummary({ report, rows }: { report: CaseReport; rows: readonly Row[] }): JSX.Element {
  const [best] = rows
    .filter(({ numbers }) => numbers !== null)
    .sort((a, b) => (a.numbers?.median ?? 0) - (b.numbers?.median ?? 0));
  const wrong = rows.filter(({ result }) => result.status === "wrong").length;
  return (
    <>
      <span class="case-id">{report.id}</span>
      {wrong > 0 && <span class="bad">{wrong} wrong</span>}
      <span class="end">
        {best?.numbers
          ? `${best.result.contender} ${formatNumber(best.numbers.median)} ms`
          : "nothing measured"}
      </span>
    </>
  );
}

function CaseTitle({ report: { title, source } }: { report: CaseReport }): JSX.Element {
  return (
    <>
      <span class="case-title">{title}</span>
      {source.startsWith("https:") && (
        <>
          {" "}
          <a href={source} rel="noreferrer" target="_blank">
            source
          </a>
        </>
      )}
    </>
  );
}

interface CaseRowsProps {
  readonly rows: readonly Row[];
  readonly columns: readonly Column[];
  /** Whether the case is named above its rows. */
  readonly titled: boolean;
}

function CaseRows({ rows, columns, titled }: CaseRowsProps): JSX.Element {
  const { report } = rows[0] as Row;
  const best = Math.min(...rows.flatMap(({ numbers }) => numbers?.median ?? []));
  return (
    <tbody>
      {titled && (
        <tr class="case">
          <th scope="rowgroup" colSpan={columns.length + 1}>
            <div class="sentence">
              <span class="case-id">{report.id}</span> <CaseTitle report={report} />
            </div>
          </th>
        </tr>
      )}
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

/** A legend, folded at first, that explains each column. */
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
