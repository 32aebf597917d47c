import { CopyButton, Scroll } from "@heed/page";
import type { JSX } from "preact";
import { type Advice, holdsFor, ofTheModel, recommend } from "../../src/recommend/recommend.js";
import { renderAdvice } from "../../src/recommend/render.js";
import { describeMachine } from "../../src/report/describe.js";
import type { BenchReport } from "../../src/report/report.js";

interface AdviceProps {
  readonly report: BenchReport;
  /** Whether it was measured here, so that it is about this machine. */
  readonly here: boolean;
}

/** The answer: which backend to use. */
export function AdviceView({ report, here }: AdviceProps): JSX.Element | null {
  const all = recommend(report);
  if (all.length === 0) return null;
  return (
    <section class="panel advice" aria-labelledby="advice">
      <div class="panel-head">
        <h2 id="advice">{here ? "What to use here" : "What to use where this was measured"}</h2>
        <CopyButton label="Copy" text={renderAdvice(all)} />
      </div>
      {all.map((advice) => (
        <OneAdvice
          key={advice.environment}
          advice={advice}
          title={all.length > 1 || !here ? titleOf(report, advice) : null}
        />
      ))}
    </section>
  );
}

function titleOf({ environments }: BenchReport, { environment }: Advice): string {
  const found = environments.find(({ name }) => name === environment);
  return found ? `${environment} on ${describeMachine(found)}` : environment;
}

function OneAdvice({ advice, title }: { advice: Advice; title: string | null }): JSX.Element {
  const { environment, holds, words, resident, sites, recommendation } = advice;
  const json = JSON.stringify(recommendation, null, 2);
  return (
    <div>
      {title !== null && <h3>{title}</h3>}
      <p class="quiet">For {holds}:</p>
      <Rules words={words} />
      {resident.length > 0 && (
        <>
          <p class="quiet">For {holdsFor.resident}:</p>
          <Rules words={resident} />
        </>
      )}
      {sites.length > 0 && (
        <>
          <p class="quiet">For {ofTheModel}:</p>
          <Rules words={sites} />
        </>
      )}
      <details>
        <summary>
          for{" "}
          <code>
            createAttention({"{"} select {"}"})
          </code>
        </summary>
        <div class="copied">
          <CopyButton label="Copy as JSON" text={json} />
          <Scroll label={`Recommendation for ${environment} as JSON`}>
            <pre>{json}</pre>
          </Scroll>
        </div>
      </details>
    </div>
  );
}

function Rules({ words }: { words: readonly string[] }): JSX.Element {
  return (
    <ul>
      {words.map((line) => {
        const [when, what = ""] = line.split(/: (.*)/s);
        return (
          <li key={line}>
            <span class="when">{when}</span> <span>{what}</span>
          </li>
        );
      })}
    </ul>
  );
}
