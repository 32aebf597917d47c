import type { AttentionProblem } from "../attention/problem.js";
import { describeValue, InvalidInputError } from "../errors.js";
import { unreadable } from "../options.js";

/**
 * Preferred backends by problem size, as found by measurement. The benchmark writes one; it can be
 * kept as JSON and given to `createAttention({ select })`.
 */
export interface BackendRecommendation {
  readonly format: "heed-recommendation";
  readonly version: 1;
  /** The environment that it was measured in, in words. */
  readonly measuredOn?: string;
  /** The first rule that fits a problem applies; if none fits, backends keep their order. */
  readonly rules: readonly RecommendationRule[];
}

export interface RecommendationRule {
  /** The condition on a problem. Default: the rule fits every problem. */
  readonly when?: RecommendationCondition;
  /** In order of preference. Backends that are not named come after those that are. */
  readonly prefer: readonly RecommendedBackend[];
}

/** Every range that is given must hold. Both ends of a range are inclusive. */
export interface RecommendationCondition {
  readonly queryLength?: RecommendationRange;
  readonly keyLength?: RecommendationRange;
}

export interface RecommendationRange {
  /** Default 0. */
  readonly from?: number;
  /** No end by default. */
  readonly to?: number;
}

export interface RecommendedBackend {
  /** The backend's name, e.g. `"wasm"`. */
  readonly backend: string;
  /**
   * The thread count it was measured with: selects those backends of the name that have it, or all of
   * the name if none has.
   */
  readonly threads?: number;
}

/** The properties by which a recommendation tells backends apart. */
export interface RankedBackend {
  readonly name: string;
  /** null for one that is not loaded. */
  readonly threads: number | null;
}

/**
 * The backends of the first rule that fits the problem, as it prefers them, then all others in their
 * own order.
 *
 * @returns `backends` itself where no rule fits
 */
export function rankBackends<B extends RankedBackend>(
  recommendation: BackendRecommendation,
  problem: Lengths,
  backends: readonly B[],
): readonly B[] {
  const rule = ruleFor(recommendation, problem);
  if (!rule) return backends;
  const ranked = new Set<B>();
  for (const preferred of rule.prefer) {
    for (const backend of meant(preferred, backends)) ranked.add(backend);
  }
  for (const backend of backends) ranked.add(backend);
  return [...ranked];
}

type Lengths = Pick<AttentionProblem, "queryLength" | "keyLength">;

/** The rule that applies to a problem, if any does. */
export function ruleFor(
  { rules }: BackendRecommendation,
  problem: Lengths,
): RecommendationRule | undefined {
  return rules.find(({ when }) => fits(when, problem));
}

function fits(when: RecommendationCondition | undefined, problem: Lengths): boolean {
  return (["queryLength", "keyLength"] as const).every((name) => {
    const { from = 0, to = Number.POSITIVE_INFINITY } = when?.[name] ?? {};
    return problem[name] >= from && problem[name] <= to;
  });
}

/** The backends that a preference selects. If none of its name has its thread count, all of the name. */
function meant<B extends RankedBackend>(
  { backend, threads }: RecommendedBackend,
  backends: readonly B[],
): readonly B[] {
  const named = backends.filter(({ name }) => name === backend);
  const exact = named.filter((candidate) => candidate.threads === threads);
  return exact.length > 0 ? exact : named;
}

/**
 * Checks a recommendation that came from outside, such as parsed JSON. Members that it does not know
 * are an error: a condition that is not understood must not be taken as fulfilled.
 *
 * @param argument the name to use in errors
 * @throws InvalidInputError
 */
export function checkRecommendation(
  argument: string,
  value: unknown,
): asserts value is BackendRecommendation {
  if (typeof argument !== "string") {
    throw new InvalidInputError("argument", "a name", describeValue(argument));
  }
  try {
    checkWhole(argument, value);
  } catch (error) {
    throw unreadable(argument, error);
  }
}

function checkWhole(argument: string, value: unknown): void {
  const whole = members(argument, value, ["format", "version", "measuredOn", "rules"]);
  if (whole.format !== "heed-recommendation") {
    throw wrong(`${argument}.format`, '"heed-recommendation"', whole.format);
  }
  if (whole.version !== 1) throw wrong(`${argument}.version`, "1", whole.version);
  if (whole.measuredOn !== undefined && typeof whole.measuredOn !== "string") {
    throw wrong(`${argument}.measuredOn`, "a string", whole.measuredOn);
  }
  for (const [i, rule] of list(`${argument}.rules`, whole.rules).entries()) {
    checkRule(`${argument}.rules[${i}]`, rule);
  }
}

function checkRule(argument: string, value: unknown): void {
  const { when, prefer } = members(argument, value, ["when", "prefer"]);
  if (when !== undefined) {
    const ranges = members(`${argument}.when`, when, ["queryLength", "keyLength"]);
    for (const [name, range] of Object.entries(ranges)) {
      if (range !== undefined) checkRange(`${argument}.when.${name}`, range);
    }
  }
  for (const [i, preferred] of list(`${argument}.prefer`, prefer).entries()) {
    const at = `${argument}.prefer[${i}]`;
    const { backend, threads } = members(at, preferred, ["backend", "threads"]);
    if (typeof backend !== "string") throw wrong(`${at}.backend`, "a backend's name", backend);
    if (threads !== undefined && !(Number.isInteger(threads) && (threads as number) >= 1)) {
      throw wrong(`${at}.threads`, "an integer ≥ 1", threads);
    }
  }
}

function checkRange(argument: string, value: unknown): void {
  for (const [name, end] of Object.entries(members(argument, value, ["from", "to"]))) {
    if (end !== undefined && !(Number.isInteger(end) && (end as number) >= 0)) {
      throw wrong(`${argument}.${name}`, "an integer ≥ 0", end);
    }
  }
}

function members(
  argument: string,
  value: unknown,
  known: readonly string[],
): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw wrong(argument, `an object with ${known.join(", ")}`, value);
  }
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new InvalidInputError(
      argument,
      `no members but ${known.join(", ")}`,
      describeValue(unknown),
    );
  }
  return value as Record<string, unknown>;
}

function list(argument: string, value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(argument, "an array", value);
  return value;
}

function wrong(argument: string, expected: string, value: unknown): InvalidInputError {
  return new InvalidInputError(argument, expected, describeValue(value));
}
