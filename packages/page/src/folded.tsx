import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";

interface FoldedProps {
  /** The line that stays visible while the rest is folded. */
  readonly summary: ComponentChildren;
  /** Whether it is open at first. */
  readonly open?: boolean;
  /** Made when it is opened for the first time. */
  children(): ComponentChildren;
}

/** A part of a long list, folded until it is asked for. */
export function Folded({ summary, open = false, children }: FoldedProps): JSX.Element {
  const opened = useSignal(open);
  return (
    <details
      class="folded"
      open={open}
      onToggle={(event) => {
        if (event.currentTarget.open) opened.value = true;
      }}
    >
      <summary>{summary}</summary>
      {opened.value && children()}
    </details>
  );
}
