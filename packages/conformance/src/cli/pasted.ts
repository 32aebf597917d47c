import { InvalidArgumentError } from "commander";
import type { CaseSpec } from "../operations/attention/spec.js";
import type { ConformanceCase } from "../run/case.js";

/** Written out once more, since types are gone when JSON is read; the compiler sees that all are here. */
const fields: Readonly<Record<keyof CaseSpec, true>> = {
  batch: true,
  queryHeads: true,
  kvHeads: true,
  queryLength: true,
  keyLength: true,
  headDim: true,
  valueDim: true,
  dtype: true,
  layout: true,
  values: true,
  sharedKeyValue: true,
  causal: true,
  window: true,
  queryOffset: true,
  kvLengths: true,
  poison: true,
  mask: true,
  bias: true,
  stridedMask: true,
  alibi: true,
  sinks: true,
  scale: true,
  softcap: true,
  returns: true,
};

/**
 * A case as a failing law prints it, edited by hand perhaps.
 *
 * @throws InvalidArgumentError for what is no JSON, lacks a part, or has one that no case has
 */
export function readPasted(json: string): Pick<ConformanceCase, "id" | "spec"> {
  let parsed: Partial<Pick<ConformanceCase, "id" | "spec">> | null;
  try {
    parsed = JSON.parse(json);
  } catch (error) {
    throw new InvalidArgumentError(`--case is no JSON: ${String(error)}`);
  }
  const { id, spec } = parsed ?? {};
  const wants = '--case wants {"id": …, "spec": {"queryLength": …}}';
  if (typeof id !== "string") throw new InvalidArgumentError(`${wants}; it has no id`);
  if (typeof spec !== "object" || typeof spec?.queryLength !== "number") {
    throw new InvalidArgumentError(`${wants}; it has no spec with a queryLength`);
  }
  const unknown = Object.keys(spec).find((name) => !Object.hasOwn(fields, name));
  if (unknown !== undefined) {
    throw new InvalidArgumentError(
      `--case has a spec with ${unknown}, which no case has; known are ${Object.keys(fields).join(", ")}`,
    );
  }
  return { id, spec };
}
