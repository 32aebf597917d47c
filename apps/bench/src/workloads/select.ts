import { modelWorkloads } from "./models.js";
import { realWorkloads } from "./real.js";
import { speedWorkloads } from "./speed.js";
import { suites, type Workload } from "./workload.js";

/** Every workload that has a name of its own. */
export const workloads: readonly Workload[] = [
  ...realWorkloads,
  ...modelWorkloads,
  ...speedWorkloads,
];

/** Names given that match nothing, with those that would have. */
export class UnknownNameError extends Error {
  constructor(what: string, unknown: readonly string[], known: readonly string[]) {
    super(`unknown ${what} ${unknown.join(", ")}; known: ${known.join(", ")}`);
    this.name = "UnknownNameError";
  }
}

/**
 * Picks workloads by id, suite or pattern (`llama*`), in the order of the list.
 *
 * @throws UnknownNameError if any name matches nothing
 */
export function selectWorkloads(names: readonly string[]): readonly Workload[] {
  const unknown = names.filter((name) => !workloads.some((w) => matches(w, name)));
  if (unknown.length > 0) {
    throw new UnknownNameError("cases", unknown, [...suites, ...workloads.map(({ id }) => id)]);
  }
  return workloads.filter((workload) => names.some((name) => matches(workload, name)));
}

function matches({ id, suite }: Workload, name: string): boolean {
  if (name === id || name === suite || name === "all") return true;
  if (!name.includes("*")) return false;
  const pattern = name.split("*").map((literal) => literal.replace(/[^\w]/g, "\\$&"));
  return new RegExp(`^${pattern.join(".*")}$`).test(id);
}

/**
 * Picks names out of those known, in the order given.
 *
 * @param what as the user calls them, e.g. `"backends"`
 * @throws UnknownNameError
 */
export function selectNames(
  what: string,
  names: readonly string[],
  known: readonly string[],
): readonly string[] {
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new UnknownNameError(what, unknown, known);
  return [...new Set(names)];
}
