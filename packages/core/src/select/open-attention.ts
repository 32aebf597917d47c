import { BackendUnavailableError, formatReasons } from "../errors.js";
import type { AttentionProvider } from "../operation/backend.js";
import type { Attention } from "./attention.js";
import { type Limits, withLimits } from "./limits.js";
import { loadBackend, type MakeTest } from "./load.js";
import { BackendSelection, type SelectionOptions } from "./selection.js";
import { release, Slot } from "./slot.js";

/**
 * Everything that an attention is made of. Parts that not every application needs are handed in, so that
 * another entry than `createAttention` may import them later, or not at all.
 */
export interface OpenOptions extends SelectionOptions, Limits {
  /** At least one. */
  readonly providers: readonly AttentionProvider[];
  readonly load: "all" | "on-demand";
  /** The test that each loaded backend has to pass; null: backends are not tested. */
  readonly makeTest: MakeTest | null;
  /** See `AttentionOptions.maxWorkspaceBytes`. */
  readonly maxWorkspaceBytes: number;
}

/** `createAttention`, with options that are checked and parts that are given; it throws the same. */
export async function openAttention(options: OpenOptions): Promise<Attention> {
  const { providers, load, makeTest, fallback, maxWorkspaceBytes } = options;
  const slots = providers.map(
    (provider) => new Slot(provider, (tried) => loadBackend(tried, makeTest, maxWorkspaceBytes)),
  );
  // Whatever is still being loaded is released when it is there.
  const giveUp = (): void => {
    for (const slot of slots) release({ dispose: () => slot.release() });
  };
  const loading = load === "all" ? loadAll : loadFirst;
  await withLimits(options, () => loading(slots), giveUp);
  const missing = slots.filter(({ state }) => state === "unavailable");
  if (missing.length < slots.length && (fallback !== "error" || missing.length === 0)) {
    return new BackendSelection(slots, options);
  }
  giveUp();
  const what =
    missing.length === slots.length
      ? "no backend is available"
      : 'a backend is unavailable, and fallback is "error"';
  const reasons = missing.map((slot) => ({ backend: slot.name, reasons: slot.reasons }));
  const causes = missing.flatMap((slot) => slot.causes);
  const cause = causes.length > 1 ? new AggregateError(causes) : causes[0];
  const message = `${what}\n${formatReasons(reasons)}`;
  throw new BackendUnavailableError(message, undefined, causes.length > 0 ? { cause } : undefined);
}

async function loadAll(slots: readonly Slot[]): Promise<void> {
  await Promise.all(slots.map((slot) => slot.load()));
}

async function loadFirst(slots: readonly Slot[]): Promise<void> {
  for (const slot of slots) {
    await slot.load();
    if (slot.state === "ready") return;
  }
}
