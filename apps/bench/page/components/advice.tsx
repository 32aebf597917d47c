import type { JSX } from "preact";
import { recommend } from "../../src/recommend/recommend.js";
import type { BenchReport } from "../../src/report/report.js";
import { Scroll } from "./scroll.js";

/** The answer: which backend to use. */
export function AdviceView({ report }: { report: BenchReport }): JSX.Element | null {
  const advice = recommend(report);
  if (advice.length === 0) return null;
  return (
    <section class="panel advice" aria-labelledby="advice">
      <h2 id="advice">What to use here</h2>
      {advice.map(({ environment, words, recommendation }) => (
        <div key={environment}>
          {advice.length > 1 && <h3>{environment}</h3>}
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
          <details>
            <summary>
              for{" "}
              <code>
                createAttention({"{"} select {"}"})
              </code>
            </summary>
            <Scroll label={`Recommendation for ${environment} as JSON`}>
              <pre>{JSON.stringify(recommendation, null, 2)}</pre>
            </Scroll>
          </details>
        </div>
      ))}
    </section>
  );
}
