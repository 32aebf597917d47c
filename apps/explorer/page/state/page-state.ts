import { computed, signal } from "@preact/signals";
import { compute } from "../worker/client.js";
import type { Difference, LongText, Sentence } from "../worker/protocol.js";
import { readState, type State, writeState } from "./state.js";

/** Everything that the address says; changed by {@link change} alone. */
export const state = signal<State>(readState(location.search));

export const sentence = signal<Sentence | null>(null);
export const difference = signal<Difference | null>(null);
export const longText = signal<LongText | null>(null);
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
function keyOf({ view, text, backend, causal, length, show, other, layer }: State): string {
  if (view === "long") return JSON.stringify([view, backend, length]);
  const compared = view === "explore" && show === "difference" && [other, layer];
  return JSON.stringify([text, backend, causal, compared]);
}

/** Computes what the state asks for. Results of an earlier state are dropped. */
export async function refresh(): Promise<void> {
  const { view, text, backend, causal, length, show, other, layer } = state.value;
  const key = keyOf(state.value);
  const current = () => keyOf(state.value) === key;
  busy.value = true;
  problem.value = null;
  try {
    if (view === "long") {
      const result = await compute("long", backend, length);
      if (current()) longText.value = result;
    } else {
      const result = await compute("sentence", backend, text, causal);
      if (!current()) return;
      sentence.value = result;
      difference.value = null;
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
