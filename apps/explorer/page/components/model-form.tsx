import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { change, foundModel, openModelFiles, state } from "../state/page-state.js";

const recogniser = "./model/recogniser.onnx";

/** Which model is looked at, and what it is fed. */
export function ModelForm(): JSX.Element {
  const { model, feeds, words, sizes } = state.value;
  const picture = foundModel.value?.picture === true;
  return (
    <div class="model-form">
      <div class="row">
        <label class="button">
          Open an ONNX model
          <input
            id="model-file"
            type="file"
            multiple
            class="visually-hidden"
            onChange={({ currentTarget }) => {
              openModelFiles(currentTarget.files ?? []);
              currentTarget.value = "";
            }}
          />
        </label>
        {model !== recogniser && (
          <button
            type="button"
            onClick={() => change({ model: recogniser, feeds: "", site: 0, siteHead: 0, query: 0 })}
          >
            Use a text recogniser (11 MB)
          </button>
        )}
        <span class="quiet">
          or drop one anywhere on the page, with the files of its weights if there are any: it is
          read here, and never leaves this browser
        </span>
      </div>
      {model !== "" && feeds === "" && picture && (
        <Field
          id="words"
          label="It looks at a picture of these words"
          value={words}
          onSubmit={(text) => change({ words: text })}
        />
      )}
      {model !== "" && feeds === "" && !picture && (
        <Field
          id="sizes"
          label="Sizes of random inputs"
          value={sizes}
          onSubmit={(text) => change({ sizes: text })}
        />
      )}
      {model !== "" && feeds !== "" && (
        <p>
          The inputs are those of a file.{" "}
          <button type="button" onClick={() => change({ feeds: "" })}>
            Use random ones
          </button>
        </p>
      )}
    </div>
  );
}

interface FieldProps {
  readonly id: string;
  readonly label: string;
  readonly value: string;
  onSubmit(text: string): void;
}

function Field({ id, label, value, onSubmit }: FieldProps): JSX.Element {
  const typed = useSignal(value);
  return (
    <form
      class="sentence-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (typed.value.trim() !== "") onSubmit(typed.value.trim());
      }}
    >
      <label for={id}>{label}</label>
      <div class="row">
        <input
          id={id}
          type="text"
          maxLength={60}
          autocomplete="off"
          spellcheck={false}
          value={typed.value}
          onInput={({ currentTarget }) => {
            typed.value = currentTarget.value;
          }}
        />
        <button type="submit">Show</button>
      </div>
    </form>
  );
}
