import { describeValue, InvalidInputError } from "../errors.js";
import { checkNames, reading } from "../options.js";
import type { PrepareOptions } from "./attention.js";
import { type Limits, readLimits } from "./limits.js";

/** Milliseconds of a measurement, unless the caller says. */
const defaultTuneBudget = 1000;

const names: ReadonlySet<string> = new Set(["signal", "timeout", "tune"]);
const tuneNames: ReadonlySet<string> = new Set(["budget"]);

/**
 * @returns the limits, and the milliseconds of a measurement; null for none
 * @throws InvalidInputError naming the option at fault
 */
export function readPrepareOptions(given: unknown): {
  readonly limits: Limits;
  readonly budget: number | null;
} {
  if (given === undefined) return { limits: {}, budget: null };
  checkNames("options", given, names);
  const options = given as PrepareOptions;
  const tune = reading("tune", () => options.tune) ?? false;
  return { limits: readLimits(options), budget: readBudget(tune) };
}

function readBudget(tune: NonNullable<PrepareOptions["tune"]>): number | null {
  if (typeof tune === "boolean") return tune ? defaultTuneBudget : null;
  if (typeof tune !== "object") {
    throw new InvalidInputError("tune", "a boolean or { budget }", describeValue(tune));
  }
  checkNames("tune", tune, tuneNames);
  const budget = reading("tune.budget", () => tune.budget) ?? defaultTuneBudget;
  if (typeof budget === "number" && budget > 0) return budget;
  throw new InvalidInputError("tune.budget", "milliseconds > 0", describeValue(budget));
}
