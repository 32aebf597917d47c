import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

interface CaseSearchProps {
  /** Tells it from others of the page. */
  readonly id: string;
  readonly label: string;
  /** All that can be chosen. */
  readonly names: readonly string[];
  readonly chosen: readonly string[];
  onChange(chosen: readonly string[]): void;
}

/** A choice among many names: one is found by typing a part of it, and stands below once it is chosen. */
export function CaseSearch({ id, label, names, chosen, onChange }: CaseSearchProps): JSX.Element {
  const text = useSignal("");
  const problem = useSignal<string | null>(null);
  const add = (event: Event) => {
    event.preventDefault();
    const typed = text.value.trim();
    if (typed === "") return;
    const matches = names.includes(typed) ? [typed] : names.filter((name) => name.includes(typed));
    if (matches.length !== 1) {
      problem.value =
        matches.length === 0
          ? `None has “${typed}” in its name.`
          : `${matches.length} have “${typed}” in their names: ${matches.slice(0, 6).join(", ")}${matches.length > 6 ? " …" : ""}`;
      return;
    }
    onChange([...new Set([...chosen, ...matches])]);
    text.value = "";
    problem.value = null;
  };
  return (
    <form class="own" onSubmit={add}>
      <label for={id}>{label}</label>
      <div class="row">
        <input
          id={id}
          type="text"
          list={`${id}-names`}
          value={text.value}
          aria-describedby={`${id}-problem`}
          spellcheck={false}
          autocapitalize="off"
          autocomplete="off"
          onInput={(event) => {
            text.value = event.currentTarget.value;
          }}
        />
        <datalist id={`${id}-names`}>
          {names.map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
        <button type="submit">Add</button>
      </div>
      <p id={`${id}-problem`} class="warning" role="status">
        {problem.value}
      </p>
      <Chips names={chosen} onRemove={(name) => onChange(chosen.filter((one) => one !== name))} />
    </form>
  );
}

interface ChipsProps {
  readonly names: readonly string[];
  onRemove(name: string): void;
}

/** Names that have been chosen, each with a button that takes it back. */
export function Chips({ names, onRemove }: ChipsProps): JSX.Element | null {
  if (names.length === 0) return null;
  return (
    <ul class="chips side-by-side">
      {names.map((name) => (
        <li key={name}>
          {name}
          <button type="button" aria-label={`Remove ${name}`} onClick={() => onRemove(name)}>
            ×
          </button>
        </li>
      ))}
    </ul>
  );
}
