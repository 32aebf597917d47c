import type { JSX } from "preact";
import { formatSeconds } from "../../src/report/format.js";
import type { RunState } from "../state/run.js";

interface ProgressProps {
  readonly run: Extract<RunState, { status: "running" }>;
  onCancel(): void;
}

/** How far a run is, and a way to end it. */
export function Progress({ run, onCancel }: ProgressProps): JSX.Element {
  const { share, case: id, step, secondsLeft, cancelling } = run;
  const percent = Math.round(100 * share);
  return (
    <div class="progress">
      <div class="row">
        <progress max={1} value={share} aria-label="Progress of the run">
          {percent} %
        </progress>
        <button type="button" class="cancel" onClick={onCancel} disabled={cancelling}>
          {cancelling ? "Stopping…" : "Cancel"}
        </button>
      </div>
      {/* Spoken for each case, not for each step. */}
      <p class="quiet">
        <span role="status">
          {percent} % {id}
        </span>{" "}
        {step}
        {secondsLeft !== null && ` · about ${formatSeconds(secondsLeft)} left`}
      </p>
    </div>
  );
}
