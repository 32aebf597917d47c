import { InvalidInputError } from "@heed/core";
import type { CaseResult, KnownFailure } from "../report/report.js";
import { type Profile, profiles } from "./case.js";

/** A backend's claims about itself, in its own package: `conformance.json` beside package.json. */
export interface Declaration {
  /** Profiles of which it passes every case, and refuses none. */
  readonly profiles?: readonly string[];
  /** Cases that run, fail, and turn red once they pass. */
  readonly knownFailures?: readonly KnownFailure[];
}

/**
 * Reads a declaration.
 *
 * @param ids of all cases: a known failure that names none of them is out of date
 * @throws InvalidInputError naming what is wrong in it
 */
export function readDeclaration(value: unknown, ids: Iterable<string>): Declaration {
  const declaration = (value ?? {}) as Declaration;
  const { profiles: claimed = [], knownFailures = [] } = declaration;
  const wrong = (argument: string, expected: string, actual: unknown): never => {
    throw new InvalidInputError(argument, expected, JSON.stringify(actual));
  };
  for (const name of claimed) {
    if (!profiles.includes(name as Profile)) {
      wrong("profiles", `some of ${profiles.join(", ")}`, name);
    }
  }
  const known = new Set(ids);
  const seen = new Set<string>();
  for (const [i, failure] of knownFailures.entries()) {
    const at = `knownFailures[${i}]`;
    if (!known.has(failure.case)) wrong(`${at}.case`, "the id of a case", failure.case);
    if (seen.has(failure.case)) wrong(`${at}.case`, "each case once", failure.case);
    if (!/^https:\/\/\S+$/.test(failure.link)) {
      wrong(`${at}.link`, "the address of an issue", failure.link);
    }
    if (!failure.why) wrong(`${at}.why`, "a sentence that says what goes wrong", failure.why);
    seen.add(failure.case);
  }
  return declaration;
}

/**
 * Adjusts a case's result to the backend's declaration: a known failure is counted separately while it
 * lasts, and is a failure once the case passes; a refusal is a failure in a profile that is claimed.
 */
export function applyDeclaration(
  result: CaseResult,
  { profiles: claimed = [], knownFailures = [] }: Declaration,
): CaseResult {
  const known = knownFailures.find((failure) => failure.case === result.id);
  const claims = claimed.includes(result.profile);
  const fail = (failure: string): CaseResult => ({
    ...result,
    outcome: "fail",
    failures: [...result.failures, failure],
  });
  if (known && claims) {
    return fail(`is a known failure, but the backend claims all of profile ${result.profile}`);
  }
  if (known) {
    if (result.outcome === "fail") return { ...result, outcome: "known-failure", known };
    return fail(
      `is a known failure (${known.link}) that fails no more: take it off the list in conformance.json`,
    );
  }
  if (claims && result.outcome === "unsupported") {
    return fail(`is refused, but the backend claims all of profile ${result.profile}`);
  }
  return result;
}
