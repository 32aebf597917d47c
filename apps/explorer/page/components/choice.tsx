import type { JSX } from "preact";

interface ChoiceProps<T extends string | number> {
  readonly label: string;
  readonly id?: string;
  readonly class?: string;
  readonly value: T;
  /** Values with the words that they are shown by. */
  readonly options: readonly (readonly [value: T, words: string])[];
  readonly onChoose: (value: T) => void;
}

/** A list of which one is chosen, with its label. */
export function Choice<T extends string | number>({
  label,
  id,
  class: style,
  value,
  options,
  onChoose,
}: ChoiceProps<T>): JSX.Element {
  return (
    <label class={style}>
      {label}{" "}
      <select
        id={id}
        value={value}
        onChange={({ currentTarget }) => {
          const chosen = options[currentTarget.selectedIndex];
          if (chosen) onChoose(chosen[0]);
        }}
      >
        {options.map(([each, words]) => (
          <option key={each} value={each}>
            {words}
          </option>
        ))}
      </select>
    </label>
  );
}
