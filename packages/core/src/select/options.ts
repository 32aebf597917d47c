import { describeValue, InvalidInputError } from "../errors.js";
import type { AttentionProvider } from "../operation/backend.js";
import { isList, reading, readOptions } from "../options.js";
import type { AttentionOptions } from "./attention.js";
import { checkRecommendation } from "./recommendation.js";
import type { SelectionOptions } from "./selection.js";

/** Options of an attention with everything optional resolved. */
export interface CheckedOptions extends SelectionOptions {
  readonly providers: readonly AttentionProvider[];
  readonly selfTest: boolean;
}

const optionNames: ReadonlySet<keyof AttentionOptions> = new Set([
  "backends",
  "select",
  "fallback",
  "selfTest",
  "planCacheSize",
]);

/** @throws InvalidInputError naming the option at fault */
export function checkOptions(options: AttentionOptions): CheckedOptions {
  const given = readOptions<Partial<AttentionOptions>>("options", options ?? {}, optionNames);
  const { select = "order", fallback = "warn", selfTest = true, planCacheSize = 64 } = given;
  const wrong = (argument: string, expected: string, value: unknown): never => {
    throw new InvalidInputError(argument, expected, describeValue(value));
  };
  const providers = readProviders(given.backends);
  if (typeof select === "object" && select !== null) checkRecommendation("select", select);
  else if (select !== "order" && select !== "fastest") {
    wrong("select", '"order", "fastest" or a recommendation', select);
  }
  if (fallback !== "warn" && fallback !== "error" && fallback !== "silent") {
    wrong("fallback", '"warn", "error" or "silent"', fallback);
  }
  if (typeof selfTest !== "boolean") wrong("selfTest", "a boolean", selfTest);
  if (!Number.isInteger(planCacheSize) || planCacheSize < 0) {
    wrong("planCacheSize", "an integer ≥ 0", planCacheSize);
  }
  return { providers, select, fallback, selfTest, planCacheSize };
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
      providers.push({ name, load: () => provider.load() });
    }
    return providers;
  });
}
