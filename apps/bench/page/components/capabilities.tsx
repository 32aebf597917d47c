import type { JSX } from "preact";
import type { Capability } from "../browser/capabilities.js";

/** Lists the features that this browser has, and why each of the others is missing. */
export function Capabilities({ all }: { all: readonly Capability[] }): JSX.Element {
  return (
    <ul class="capabilities">
      {all.map(({ title, present, detail, missing, hint }) => (
        <li key={title} class={present ? "present" : "missing"}>
          <span class="mark" aria-hidden="true">
            {present ? "✓" : "–"}
          </span>
          <b>{title}</b>
          <span class="visually-hidden">{present ? ": present" : ": missing"}</span>
          <span class="quiet">{present ? detail : missing}</span>
          {!present && hint !== "" && <span class="hint">{hint}</span>}
        </li>
      ))}
    </ul>
  );
}
