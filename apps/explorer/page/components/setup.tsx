import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { busy, change, longText, sentence, siteWeights, state } from "../state/page-state.js";
import { type BackendName, lengths } from "../state/state.js";
import { Choice } from "./choice.js";
import { ModelForm } from "./model-form.js";

const examples = [
  "The robot picked up the wrench because it was heavy",
  "The robot picked up the wrench because it was told to",
  "She gave her dog the bone that it had buried",
  "Time flies like an arrow, fruit flies like a banana",
];

const names: readonly (readonly [BackendName, string])[] = [
  ["auto", "chosen by Heed"],
  ["webgpu", "webgpu"],
  ["wasm", "wasm"],
  ["js", "js"],
];

/** The text, the backend that computes, and what it said about that. */
export function Setup(): JSX.Element {
  const { view, backend, causal, length } = state.value;
  const ofSentence = view === "explain" || view === "explore";
  const result =
    view === "long" ? longText.value : view === "model" ? siteWeights.value : sentence.value;
  const took = result && "milliseconds" in result ? result.milliseconds : undefined;
  return (
    <section class="panel" aria-label="Input">
      {ofSentence && <SentenceForm />}
      {view === "model" && <ModelForm />}
      <div class="settings">
        {view === "long" && (
          <Choice
            label="Tokens"
            value={length}
            options={lengths.map((count) => [count, count.toLocaleString("en")])}
            onChoose={(length) => change({ length })}
          />
        )}
        <Choice
          label="Backend"
          id="backend"
          value={backend}
          options={names}
          onChoose={(backend) => change({ backend })}
        />
        {ofSentence && (
          <label class="switch">
            <input
              type="checkbox"
              checked={causal}
              onChange={({ currentTarget }) => change({ causal: currentTarget.checked })}
            />
            Causal mask
          </label>
        )}
        {result && (
          <p class="computed quiet" aria-busy={busy.value}>
            Computed by <strong>{result.backend}</strong>
            {took !== undefined && <> in {took.toFixed(0)} ms</>}
          </p>
        )}
      </div>
      {result && (
        <details class="more">
          <summary>Why this backend?</summary>
          <pre class="why">{result.why}</pre>
        </details>
      )}
    </section>
  );
}

function SentenceForm(): JSX.Element {
  const { text } = state.value;
  const typed = useSignal(text);
  const show = (next: string) => {
    typed.value = next;
    if (next.trim() !== "") change({ text: next.trim() });
  };
  return (
    <form
      class="sentence-form"
      onSubmit={(event) => {
        event.preventDefault();
        show(typed.value);
      }}
    >
      <label for="sentence">Sentence</label>
      <div class="row">
        <input
          id="sentence"
          type="text"
          maxLength={1000}
          autocomplete="off"
          value={typed.value}
          onInput={({ currentTarget }) => {
            typed.value = currentTarget.value;
          }}
        />
        <button type="submit">Show</button>
      </div>
      <ul class="examples side-by-side" aria-label="Examples">
        {examples
          .filter((example) => example !== text)
          .map((example) => (
            <li key={example}>
              <button type="button" onClick={() => show(example)}>
                {example}
              </button>
            </li>
          ))}
      </ul>
      {sentence.value !== null && sentence.value.left > 0 && (
        <p class="warning">
          The encoder has 128 places: {sentence.value.left} pieces at the end are left out.
        </p>
      )}
    </form>
  );
}
