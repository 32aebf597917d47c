import { describeValue, InvalidInputError } from "../errors.js";
import { checkNames, reading } from "../options.js";
import { add, and, lessEqual, subtract } from "../program/functions.js";
import { maskMod } from "../program/program.js";
import type { MaskProgram } from "../program/program-class.js";
import { checkCount } from "./arguments.js";

const names: ReadonlySet<string> = new Set(["left", "right"]);

/**
 * Each query sees the keys around its position, ends included: `p − left ≤ κ ≤ p + right` (Mistral 7B,
 * arXiv:2310.06825; Longformer, arXiv:2004.05150).
 *
 * @param window integers ≥ 0; left out is unbounded. A number is as many keys before the query, and none after
 * @throws InvalidInputError naming `window`
 */
export function slidingWindow(
  window: number | { readonly left?: number | undefined; readonly right?: number | undefined },
): MaskProgram {
  if (typeof window === "number") return slidingWindow({ left: window, right: 0 });
  checkNames("window", window, names);
  const { left, right } = reading("window", () => ({ ...window }));
  if (left === undefined && right === undefined) {
    throw new InvalidInputError("window", "left or right", describeValue(window));
  }
  if (left !== undefined) checkCount("window.left", left, 0);
  if (right !== undefined) checkCount("window.right", right, 0);
  return maskMod(({ query, key }) =>
    and(
      left === undefined || lessEqual(subtract(query, left), key),
      right === undefined || lessEqual(key, add(query, right)),
    ),
  );
}
