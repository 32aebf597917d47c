import { describeValue, InvalidInputError } from "../errors.js";
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
    checkRecommendation("select", select);
    return new RecommendedStrategy(select);
  }
  const expected = '"order", "fastest" or a recommendation';
  throw new InvalidInputError("select", expected, describeValue(select));
}
