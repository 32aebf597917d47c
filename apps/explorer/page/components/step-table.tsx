import { Scroll } from "@heed/page";
import type { JSX } from "preact";
import type { QueryRow } from "../measure/query-row.js";
import { shown } from "../model/tokens.js";
import { VectorStrip } from "./vector-strip.js";

interface StepTableProps {
  readonly pieces: readonly string[];
  readonly token: number;
  readonly row: QueryRow;
  readonly step: number;
}

const number = (x: number): string => x.toFixed(2).replace("-", "−");
const percent = (x: number): string => `${(100 * x).toFixed(1)}%`;

function mostOf(vectors: readonly Float32Array[]): number {
  let most = 0;
  for (const vector of vectors) for (const x of vector) most = Math.max(most, Math.abs(x));
  return most;
}

/** Every key of one query, a row each; each step adds a column. */
export function StepTable({ pieces, token, row, step }: StepTableProps): JSX.Element {
  const asking = shown(pieces[token] ?? "");
  const most = mostOf([row.query, ...row.keys]);
  const mostValue = mostOf(row.values);
  const column = (n: number) => (step === n ? "now" : n < step - 1 ? "earlier" : "");
  return (
    <Scroll label={`Attention of ${asking}, step by step`}>
      <table class="results steps-table">
        <thead>
          <tr>
            <th scope="col">Word</th>
            <th scope="col" class={column(1)}>
              Key
            </th>
            {step >= 2 && <Head now={column(2)}>Query · key</Head>}
            {step >= 3 && <Head now={column(3)}>Scaled</Head>}
            {step >= 4 && <Head now={column(4)}>Seen</Head>}
            {step >= 5 && <Head now={column(5)}>Weight</Head>}
            {step >= 6 && (
              <th scope="col" class={column(6)}>
                Value
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          <tr class={`query-row ${column(1)}`}>
            <th scope="row">Query of {asking}</th>
            <td>
              <VectorStrip values={row.query} most={most} label={`Query of ${asking}`} />
            </td>
            {step > 1 && <td colSpan={step - 1} />}
          </tr>
          {pieces.map((piece, j) => {
            const score = row.scores[j] as number;
            const weight = row.weights[j] as number;
            const seen = row.visible[j] as boolean;
            const word = shown(piece);
            return (
              <tr key={j} class={step >= 4 && !seen ? "hidden-key" : ""}>
                <th scope="row">{word}</th>
                <td class={column(1)}>
                  <VectorStrip
                    values={row.keys[j] as Float32Array}
                    most={most}
                    label={`Key of ${word}`}
                  />
                </td>
                {step >= 2 && <td class={`right ${column(2)}`}>{number(score / row.scale)}</td>}
                {step >= 3 && <td class={`right ${column(3)}`}>{number(score)}</td>}
                {step >= 4 && <td class={`right ${column(4)}`}>{seen ? "yes" : "hidden"}</td>}
                {step >= 5 && (
                  <td class="weight">
                    <span class="weight-bar" style={{ inlineSize: `${70 * weight}px` }} />
                    {percent(weight)}
                  </td>
                )}
                {step >= 6 && (
                  <td style={{ opacity: 0.25 + 0.75 * Math.sqrt(weight) }}>
                    <VectorStrip
                      values={row.values[j] as Float32Array}
                      most={mostValue}
                      label={`Value of ${word}`}
                    />
                  </td>
                )}
              </tr>
            );
          })}
          {step >= 6 && (
            <tr class="output-row">
              <th scope="row">Output of {asking}</th>
              <td colSpan={4} class="right earlier">
                sum of weight × value
              </td>
              <td class="right">=</td>
              <td>
                <VectorStrip
                  values={row.output}
                  most={mostOf([row.output])}
                  label={`Output of ${asking}`}
                />
              </td>
            </tr>
          )}
        </tbody>
      </table>
    </Scroll>
  );
}

function Head({ now, children }: { now: string; children: string }): JSX.Element {
  return (
    <th scope="col" class={`right ${now}`}>
      {children}
    </th>
  );
}
