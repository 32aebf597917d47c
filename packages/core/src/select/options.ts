import { describeValue, InvalidInputError } from "../errors.js";
import { checkNames } from "../operation/options.js";
import type { AttentionOptions } from "./attention.js";
import { checkRecommendation } from "./recommendation.js";
import type { SelectionOptions } from "./selection.js";

/** Options of an attention with everything optional resolved. */
export interface CheckedOptions extends SelectionOptions {
  readonly selfTest: boolean;
}

const optionNames: ReadonlySet<string> = new Set([
  "backends",
  "select",
  "fallback",
  "selfTest",
  "planCacheSize",
]);

/** @throws InvalidInputError naming the option at fault */
export function checkOptions(options: AttentionOptions): CheckedOptions {
  const given = options ?? {};
  checkNames("options", given, optionNames);
  const { backends, select = "order", fallback = "warn", planCacheSize = 64 } = given;
  const wrong = (argument: string, expected: string, value: unknown): never => {
    throw new InvalidInputError(argument, expected, describeValue(value));
  };
  if (!Array.isArray(backends) || backends.length === 0) {
    wrong("backends", "at least one provider, such as js()", backends);
  }
  for (const [i, provider] of backends.entries()) {
    if (typeof provider?.name !== "string" || typeof provider.load !== "function") {
      wrong(`backends[${i}]`, "a provider, such as js()", provider);
    }
  }
  if (typeof select === "object" && select !== null) checkRecommendation("select", select);
  else if (select !== "order" && select !== "fastest") {
    wrong("select", '"order", "fastest" or a recommendation', select);
  }
  if (fallback !== "warn" && fallback !== "error" && fallback !== "silent") {
    wrong("fallback", '"warn", "error" or "silent"', fallback);
  }
  if (options.selfTest !== undefined && typeof options.selfTest !== "boolean") {
    wrong("selfTest", "a boolean", options.selfTest);
  }
  if (!Number.isInteger(planCacheSize) || planCacheSize < 0) {
    wrong("planCacheSize", "an integer ≥ 0", planCacheSize);
  }
  return { select, fallback, selfTest: options.selfTest ?? true, planCacheSize };
}
