import { type BackendName, createAttention } from "heed";
import { readCheckpoint, readVocabulary } from "../src/checkpoint.js";
import { type CacheChoice, Model } from "../src/model.js";
import { textOf, write, writeWithDrafts } from "../src/write.js";
import "./styles.css";

const element = (id: string): HTMLElement => document.getElementById(id) as HTMLElement;
const form = document.querySelector("form") as HTMLFormElement;
const button = form.querySelector("button") as HTMLButtonElement;
const count = new Intl.NumberFormat("en");

/** The contents of each kind of cache, for readers. */
const about: Readonly<Record<string, string>> = {
  static: "Room for 512 tokens in each layer.",
  rolling:
    "The last 48 tokens and the first 4: the story goes on without end, and forgets its beginning.",
  paged: "Pages of 16 tokens from one pool, as servers share among many texts.",
};
const sizes: Readonly<Record<string, Omit<CacheChoice, "dtype">>> = {
  static: { kind: "static", capacity: 512 },
  rolling: { kind: "rolling", capacity: 64, window: 48, keep: 4 },
  paged: { kind: "paged", capacity: 512 },
};

const file = async (name: string): Promise<ArrayBuffer> => {
  const response = await fetch(`./model/${name}`);
  if (!response.ok) throw new Error(`the model is not there: ${response.statusText}`);
  return response.arrayBuffer();
};
const model = file("stories260K.bin").then(readCheckpoint);
const vocabulary = file("tok512.bin").then(readVocabulary);
// Errors are shown when somebody wants a story.
for (const loading of [model, vocabulary]) loading.catch(() => {});

/** The text being written; a new one ends it. */
let writing = new AbortController();
writing.abort();

async function tell(choice: FormData, { signal }: AbortController): Promise<void> {
  const text = element("text");
  const tokens: number[] = [];
  let calls = 0;
  element("status").className = "quiet";
  element("status").textContent = "loading";
  text.textContent = "";
  const [weights, pieces] = [await model, await vocabulary];
  const backend = choice.get("backend") as BackendName | "";
  const attention = await createAttention({
    ...(backend && { backends: [backend] }),
    fallback: "silent",
  });
  let story: Model | null = null;
  try {
    const kind = sizes[choice.get("kind") as string] as Omit<CacheChoice, "dtype">;
    const dtype = choice.get("dtype") as CacheChoice["dtype"];
    const made = await Model.create(attention, weights, { ...kind, dtype });
    story = made;
    const next = made.next.bind(made);
    made.next = (given) => {
      calls += 1;
      return next(given);
    };
    element("status").textContent = "writing";
    text.classList.add("writing");
    element("where").textContent = made.caches[0]?.backend ?? "host memory";
    const bytes = made.caches.reduce((sum, cache) => sum + cache.bytes, 0);
    element("bytes").textContent = count.format(bytes);
    const most = kind.kind === "rolling" ? 5000 : weights.length;
    const start = performance.now();
    for await (const token of choice.has("drafts")
      ? writeWithDrafts(made, most)
      : write(made, most)) {
      if (signal.aborted) break;
      tokens.push(token);
      text.textContent = textOf(tokens, pieces);
      const seconds = (performance.now() - start) / 1000;
      element("speed").textContent = count.format(Math.round(tokens.length / seconds));
      element("tokens").textContent = count.format(tokens.length);
      element("calls").textContent = (tokens.length / calls).toFixed(2);
    }
    element("status").textContent = signal.aborted ? "stopped" : "done";
  } finally {
    text.classList.remove("writing");
    story?.dispose();
    await attention.dispose();
  }
}

/** Begins a text, or ends the one under way. */
async function toggle(): Promise<void> {
  if (!writing.signal.aborted) {
    writing.abort();
    return;
  }
  const mine = new AbortController();
  writing = mine;
  button.textContent = "Stop";
  try {
    await tell(new FormData(form), mine);
  } catch (error) {
    element("status").className = "quiet failed";
    element("status").textContent = error instanceof Error ? error.message : String(error);
  } finally {
    mine.abort();
    button.textContent = "Write";
  }
}

function describe(): void {
  element("about").textContent = about[String(new FormData(form).get("kind"))] ?? "";
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void toggle();
});
// Another choice ends what is being written.
form.addEventListener("change", () => {
  writing.abort();
  describe();
});
describe();
