import { describeValue, InvalidInputError } from "../errors.js";
import type { AttentionProvider } from "../operation/backend.js";
import { isList, reading, readOptions } from "../options.js";
import type { AttentionOptions } from "./attention.js";
import { type Limits, readLimits } from "./limits.js";

/** Options of an attention with everything optional resolved, but for the choice of a strategy. */
export interface CheckedOptions extends Limits {
  readonly providers: readonly AttentionProvider[];
  readonly fallback: "warn" | "error" | "silent";
  readonly selfTest: boolean;
  readonly planCacheSize: number;
  readonly load: "all" | "on-demand";
  readonly recover: boolean;
  readonly maxWorkspaceBytes: number;
}

const optionNames: ReadonlySet<keyof AttentionOptions> = new Set([
  "backends",
  "select",
  "fallback",
  "selfTest",
  "planCacheSize",
  "load",
  "recover",
  "maxWorkspaceBytes",
  "signal",
  "timeout",
]);

/**
 * The members of an options object, each read once.
 *
 * @param more names of further options
 * @throws InvalidInputError for unknown ones
 */
export function readAttentionOptions<O extends object = AttentionOptions>(
  options: O | undefined,
  more: readonly string[] = [],
): Partial<O> {
  const names: ReadonlySet<string> = new Set([...optionNames, ...more]);
  return readOptions<Partial<O>>("options", options ?? {}, names as ReadonlySet<never>);
}

/**
 * Checks everything but `select`.
 *
 * @throws InvalidInputError naming the option at fault
 */
export function checkOptions(given: Partial<AttentionOptions>): CheckedOptions {
  const { fallback = "warn", selfTest = true, planCacheSize = 64 } = given;
  const { load = "all", recover = false } = given;
  const { maxWorkspaceBytes = Number.POSITIVE_INFINITY } = given;
  const wrong = (argument: string, expected: string, value: unknown): never => {
    throw new InvalidInputError(argument, expected, describeValue(value));
  };
  const providers = readProviders(given.backends);
  if (fallback !== "warn" && fallback !== "error" && fallback !== "silent") {
    wrong("fallback", '"warn", "error" or "silent"', fallback);
  }
  if (typeof selfTest !== "boolean") wrong("selfTest", "a boolean", selfTest);
  if (!Number.isInteger(planCacheSize) || planCacheSize < 0) {
    wrong("planCacheSize", "an integer ≥ 0", planCacheSize);
  }
  if (load !== "all" && load !== "on-demand") wrong("load", '"all" or "on-demand"', load);
  if (typeof recover !== "boolean") wrong("recover", "a boolean", recover);
  if (recover && fallback === "error") {
    wrong("recover", 'false where fallback is "error"', recover);
  }
  if (typeof maxWorkspaceBytes !== "number" || !(maxWorkspaceBytes >= 0)) {
    wrong("maxWorkspaceBytes", "a number of bytes ≥ 0", maxWorkspaceBytes);
  }
  const checked = {
    providers,
    fallback,
    selfTest,
    planCacheSize,
    load,
    recover,
    maxWorkspaceBytes,
  };
  return { ...checked, ...readLimits(given) };
}

/** The providers and their names, each read once. */
function readProviders(given: unknown): AttentionProvider[] {
  return reading("backends", () => {
    if (!isList(given) || given.length === 0) {
      const expected = "at least one provider, such as js()";
      throw new InvalidInputError("backends", expected, describeValue(given));
    }
    const providers: AttentionProvider[] = [];
    for (let i = 0; i < given.length; i++) {
      const provider = given[i] as AttentionProvider | null | undefined;
      const name: unknown = provider?.name;
      if (typeof name !== "string" || typeof provider?.load !== "function") {
        const expected = "a provider, such as js()";
        throw new InvalidInputError(`backends[${i}]`, expected, describeValue(provider));
      }
      const { orderReason } = provider;
      providers.push({ name, orderReason, load: () => provider.load() });
    }
    return providers;
  });
}
