import { InvalidInputError } from "@heed/core";
import * as v from "valibot";
import { customWorkload } from "./generated.js";
import { parseShape } from "./shape.js";
import type { Workload } from "./workload.js";

const text = v.pipe(v.string(), v.nonEmpty());

const entry = v.union([
  text,
  v.strictObject({
    shape: text,
    id: v.exactOptional(text),
    title: v.exactOptional(text),
    source: v.exactOptional(text),
  }),
]);

const file = v.pipe(v.array(entry), v.nonEmpty("at least one workload"));

/**
 * Workloads out of a JSON file: an array of shapes as {@link parseShape} reads them, each a string
 * or `{ shape, id?, title?, source? }`.
 *
 * @param value the parsed JSON
 * @throws InvalidInputError naming the entry at fault
 */
export function parseWorkloads(value: unknown): Workload[] {
  const parsed = v.safeParse(file, value);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    throw new InvalidInputError(
      `workloads${issue.path ? `[${v.getDotPath(issue)}]` : ""}`,
      'an array of shapes or of { shape, id?, title?, source? }, such as ["H12,L512,D64"]',
      issue.received,
    );
  }
  return parsed.output.map((given) =>
    typeof given === "string"
      ? customWorkload(parseShape(given))
      : customWorkload(parseShape(given.shape), given),
  );
}
