import { describeProblem } from "@heed/core";
import { InvalidArgumentError } from "commander";
import * as v from "valibot";
import { caseInputs } from "../operations/attention/build/inputs.js";
import { caseSpecSchema } from "../operations/attention/spec.js";
import type { ConformanceCase } from "../run/case.js";

const pastedSchema = v.strictObject({ id: v.string(), spec: caseSpecSchema });

/**
 * A case as a failing law prints it, edited by hand perhaps.
 *
 * @throws InvalidArgumentError for what is no JSON, lacks a part, has a part that no case has or of
 *   another type, or describes a call that core refuses
 */
export function readPasted(json: string): Pick<ConformanceCase, "id" | "spec"> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (error) {
    throw new InvalidArgumentError(`--case is no JSON: ${String(error)}`);
  }
  const found = v.safeParse(pastedSchema, parsed);
  if (!found.success) throw new InvalidArgumentError(describeIssue(found.issues[0]));
  try {
    describeProblem(caseInputs(found.output));
  } catch (error) {
    throw new InvalidArgumentError(`--case describes no call: ${String(error)}`);
  }
  return found.output;
}

function describeIssue(issue: v.BaseIssue<unknown>): string {
  const wants = '--case wants {"id": …, "spec": {"queryLength": …}}';
  const at = v.getDotPath(issue) ?? "the whole";
  if (issue.expected === "never")
    return `--case has a ${at.replace(/\.?([^.]*)$/, " with $1")}, which no case has`;
  if (at === "id") return `${wants}; it has no id`;
  if (at === "spec" || at === "spec.queryLength") {
    return `${wants}; it has no spec with a queryLength`;
  }
  return `${wants}; ${at} is ${issue.received}, where ${issue.expected} is expected`;
}
