import { describeValue, InvalidInputError } from "../errors.js";
import { readOptions } from "../options.js";
import { FastestStrategy } from "./fastest.js";
import { checkRecommendation } from "./recommendation.js";
import { RecommendedStrategy } from "./recommended.js";
import type { Strategy } from "./strategy.js";

/**
 * The strategy that an option `select` asks for; null for `"order"`.
 *
 * @throws InvalidInputError for anything that it cannot be
 */
export function strategyOf(select: unknown): Strategy | null {
  if (select === "order") return null;
  if (select === "fastest") return new FastestStrategy();
  if (typeof select === "object" && select !== null) {
    if ("fastest" in select) return new FastestStrategy(budgetOf(select));
    return recommendedStrategy("select", select);
  }
  const expected = '"order", "fastest", { fastest: { budget } } or a recommendation';
  throw new InvalidInputError("select", expected, describeValue(select));
}

/**
 * The strategy that takes the order of a recommendation.
 *
 * @param argument the name to use in errors
 * @throws InvalidInputError unless it is one
 */
export function recommendedStrategy(argument: string, recommendation: unknown): Strategy {
  checkRecommendation(argument, recommendation);
  return new RecommendedStrategy(recommendation);
}

/** @throws InvalidInputError unless it is a number of milliseconds, or left out */
function budgetOf(select: object): number | undefined {
  const { fastest } = readOptions<{ fastest?: object }>("select", select, new Set(["fastest"]));
  const { budget } = readOptions<{ budget?: unknown }>(
    "select.fastest",
    fastest,
    new Set(["budget"]),
  );
  if (budget === undefined || (typeof budget === "number" && budget >= 0)) return budget;
  const expected = "a number of milliseconds ≥ 0";
  throw new InvalidInputError("select.fastest.budget", expected, describeValue(budget));
}
