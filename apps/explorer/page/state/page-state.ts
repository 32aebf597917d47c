import { computed, signal } from "@preact/signals";
import { compute } from "../worker/client.js";
import type {
  Difference,
  FoundModel,
  LongText,
  Sentence,
  SiteWeights,
} from "../worker/protocol.js";
import { readState, type State, writeState } from "./state.js";

/** Everything that the address says; changed by {@link change} alone. */
export const state = signal<State>(readState(location.search));

export const sentence = signal<Sentence | null>(null);
/** The sentence that it is compared with. */
export const secondSentence = signal<Sentence | null>(null);
export const difference = signal<Difference | null>(null);
export const longText = signal<LongText | null>(null);
export const foundModel = signal<FoundModel | null>(null);
export const siteWeights = signal<SiteWeights | null>(null);
/** Addresses of opened files in which weights of the model are, by their names. */
export const modelData = signal<Readonly<Record<string, string>>>({});
/** Why the last computation failed; null if it did not. */
export const problem = signal<string | null>(null);
export const busy = signal(false);

const scheme = matchMedia("(prefers-color-scheme: dark)");
export const dark = signal(scheme.matches);
scheme.addEventListener("change", ({ matches }) => {
  dark.value = matches;
});

/** The query's token, within the sentence. */
export const token = computed(() => {
  const count = sentence.value?.pieces.length ?? 1;
  return Math.min(state.value.token, count - 1);
});

/** Changes the state and the address, and computes what the change needs. */
export function change(changed: Partial<State>): void {
  const before = state.value;
  const after = { ...before, ...changed };
  state.value = after;
  history.replaceState(null, "", `${location.pathname}${writeState(after)}${location.hash}`);
  if (keyOf(after) !== keyOf(before)) void refresh();
}

/** The state's parts that results depend on. */
function keyOf(of: State): string {
  const { view, text, backend, causal, length, show, other, layer } = of;
  if (view === "masks") return view;
  if (view === "model") {
    const { model, feeds, sizes, words, site, siteHead } = of;
    return JSON.stringify([view, backend, model, feeds, sizes, words, site, siteHead]);
  }
  if (view === "long") return JSON.stringify([view, backend, length]);
  const compared = view === "explore" && show === "difference" && [other, layer];
  const second = view === "explore" && of.second;
  return JSON.stringify([text, backend, causal, compared, second]);
}

/** Computes what the state asks for. Results of an earlier state are dropped. */
export async function refresh(): Promise<void> {
  const { view, text, second, backend, causal, length, show, other, layer } = state.value;
  const key = keyOf(state.value);
  const current = () => keyOf(state.value) === key;
  busy.value = true;
  problem.value = null;
  try {
    if (view === "masks") return;
    if (view === "model") {
      await refreshModel(current);
    } else if (view === "long") {
      const result = await compute("long", backend, length);
      if (current()) longText.value = result;
    } else {
      const result = await compute("sentence", backend, text, causal);
      if (!current()) return;
      sentence.value = result;
      difference.value = null;
      secondSentence.value = null;
      if (view === "explore" && second !== "") {
        const beside = await compute("sentence", backend, second, causal);
        if (!current()) return;
        secondSentence.value = beside;
      }
      if (view === "explore" && show === "difference") {
        const compared = await compute("difference", backend, other, text, causal, layer);
        if (current()) difference.value = compared;
      }
    }
  } catch (error) {
    if (current()) problem.value = error instanceof Error ? error.message : String(error);
  } finally {
    if (current()) busy.value = false;
  }
}

/**
 * Files that the person chose: a model in place of what was there, its feeds in a file of `numpy.savez`, and files of
 * other kinds, which hold its weights.
 */
export function openModelFiles(files: Iterable<File>): void {
  const given = [...files];
  const endsWith = (end: RegExp) => given.find(({ name }) => end.test(name));
  const feeds = endsWith(/\.npz$/i);
  const opened = state.value.model.startsWith("blob:");
  const alone = given.length === 1 && !feeds && !opened ? given[0] : undefined;
  const model = endsWith(/\.onnx$/i) ?? alone;
  const data = given.filter((file) => file !== model && file !== feeds);
  const addresses = Object.fromEntries(data.map((file) => [file.name, URL.createObjectURL(file)]));
  if (model) {
    for (const address of Object.values(modelData.value)) URL.revokeObjectURL(address);
    modelData.value = addresses;
    openModelFile(model);
  } else if (opened && data.length > 0) {
    modelData.value = { ...modelData.value, ...addresses };
    void refresh();
  }
  if (feeds) change({ view: "model", feeds: URL.createObjectURL(feeds) });
}

function openModelFile(file: File): void {
  foundModel.value = null;
  siteWeights.value = null;
  const first = { site: 0, siteHead: 0, query: 0, grid: 0, feeds: "" };
  change({ view: "model", model: URL.createObjectURL(file), ...first });
}

async function refreshModel(current: () => boolean): Promise<void> {
  const { backend, model, feeds, sizes, words, site, siteHead } = state.value;
  if (model === "") return;
  // The worker does not know the page's address.
  const absolute = (address: string) => address && new URL(address, document.baseURI).href;
  const address = absolute(model);
  const source = { address, data: address.startsWith("blob:") ? modelData.value : {} };
  const found = await compute("model", source);
  if (!current()) return;
  foundModel.value = found;
  const feeding = { feeds: absolute(feeds), sizes, words };
  const chosen = { site: Math.min(site, found.sites.length - 1), head: siteHead };
  const result = await compute("site", backend, source, feeding, chosen);
  if (current()) siteWeights.value = result;
}
