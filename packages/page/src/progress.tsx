import type { ComponentChildren, JSX } from "preact";

interface ProgressProps {
  /** From 0 to 1. */
  readonly share: number;
  /** The current step; screen readers announce each change. */
  readonly status: string;
  /** Details of the step, which are not announced. */
  readonly detail?: ComponentChildren;
  readonly cancelling?: boolean;
  /** Ends the run; left out where it cannot be ended. */
  onCancel?(): void;
}

/** How far a run is, and a way to end it. */
export function Progress(props: ProgressProps): JSX.Element {
  const { share, status, detail, cancelling = false, onCancel } = props;
  const percent = Math.round(100 * share);
  return (
    <div class="progress">
      <div class="row">
        <progress max={1} value={share} aria-label="Progress of the run">
          {percent} %
        </progress>
        {onCancel && (
          <button type="button" class="cancel" onClick={() => onCancel()} disabled={cancelling}>
            {cancelling ? "Stopping…" : "Cancel"}
          </button>
        )}
      </div>
      <p class="quiet">
        <span role="status">
          {percent} % {status}
        </span>{" "}
        {detail}
      </p>
    </div>
  );
}
