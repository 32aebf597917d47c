import type { Arithmetic } from "../../../judge/arithmetic.js";
import type { Leniency } from "../../../judge/leniency.js";
import type { OutputName } from "../../../judge/verdict.js";
import { logitNotFinite, valueNotFinite } from "./flags.js";
import type { NaiveEvaluation } from "./naive.js";

const none = (): Leniency => "none";

/**
 * Values accepted for each element of an output. A row that sees a NaN or a +∞ among its logits is NaN:
 * output, weights and log-sum-exp. A value that is not finite spoils its own column of the rows that see
 * it. Products that overflow the dtype of the arithmetic are +∞ in some evaluations and not in others:
 * the right number, NaN or an infinity is accepted, but no other number. Where the device promises
 * nothing about NaN, such rows may hold anything; all others must be right on every device.
 */
export function leniencyOf(
  name: OutputName,
  naive: NaiveEvaluation,
  { nonFinite }: Arithmetic,
): (row: number, at: number) => Leniency {
  const own = naive[name];
  const isSpoilt = (x: number): boolean => Number.isNaN(x) || x === Number.POSITIVE_INFINITY;
  const spoilt = (at: number): boolean => isSpoilt(own?.[at] as number);
  // Most calls see finite numbers alone.
  if (name === "scores" ? !own?.some(isSpoilt) : naive.notFinite.every((flags) => flags === 0)) {
    return none;
  }
  return (row, at) => {
    const flags = naive.notFinite[row] as number;
    const wholeRow = name !== "scores" && (flags & logitNotFinite) !== 0;
    const affected =
      name === "scores"
        ? spoilt(at)
        : wholeRow || (name === "output" && (flags & valueNotFinite) !== 0);
    if (!affected) return "none";
    if (!nonFinite) return "anything";
    return wholeRow || !Number.isFinite(own?.[at]) ? "not-finite" : "none";
  };
}
