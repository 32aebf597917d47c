import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

/** Copies a text to the clipboard, and says that it has. */
export function CopyButton({ label, text }: { label: string; text: string }): JSX.Element {
  const said = useSignal("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      said.value = "Copied";
    } catch {
      said.value = "The browser does not allow it here";
    }
    setTimeout(() => {
      said.value = "";
    }, 4000);
  };
  return (
    <span class="copy">
      <button type="button" onClick={() => void copy()}>
        {label}
      </button>{" "}
      <span role="status" class="quiet">
        {said.value}
      </span>
    </span>
  );
}
