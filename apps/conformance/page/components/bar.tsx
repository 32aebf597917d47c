import type { ConformanceReport, Outcome } from "@heed/conformance";
import type { JSX } from "preact";

/** In the order in which they are drawn. */
const outcomes: readonly Outcome[] = ["fail", "known-failure", "pass", "unsupported"];

/** How many cases had which outcome, as parts of a bar. What it shows stands beside it as text. */
export function Bar({ counts }: { counts: ConformanceReport["counts"] }): JSX.Element {
  return (
    <span class="bar" aria-hidden="true">
      {outcomes.map((outcome) =>
        counts[outcome] > 0 ? (
          <span key={outcome} class={outcome} style={{ flexGrow: counts[outcome] }} />
        ) : null,
      )}
    </span>
  );
}
