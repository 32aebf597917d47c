import type { JSX } from "preact";

interface ChecksProps {
  readonly legend: string;
  readonly names: readonly string[];
  /** May hold names that are not among these; they are kept. */
  readonly chosen: readonly string[];
  /** A few characters that stand behind a name. */
  describe?(name: string): string;
  /** Why something cannot be used here; null where it can. It can be chosen all the same. */
  lacking?(name: string): string | null;
  onChange(chosen: readonly string[]): void;
}

/** Names of which any number can be chosen. */
export function Checks(props: ChecksProps): JSX.Element {
  const { legend, names, chosen, describe, lacking, onChange } = props;
  return (
    <fieldset class="checks">
      <legend>{legend}</legend>
      {names.map((name) => {
        const lack = lacking?.(name) ?? null;
        return (
          <label key={name} class={lack === null ? undefined : "lacking"} title={lack ?? undefined}>
            <input
              type="checkbox"
              checked={chosen.includes(name)}
              onChange={(event) =>
                onChange(
                  event.currentTarget.checked
                    ? [...chosen, name]
                    : chosen.filter((other) => other !== name),
                )
              }
            />
            {name}
            {describe && <span class="count">{describe(name)}</span>}
            {lack !== null && <span class="count">missing here</span>}
          </label>
        );
      })}
    </fieldset>
  );
}
