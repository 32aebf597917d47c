import { decodeWorkloads } from "../operations/decode/workloads.js";
import { mergeWorkloads } from "../operations/merge/workloads.js";
import { rotaryWorkloads } from "../operations/rotary/workloads.js";
import { modelWorkloads } from "./models.js";
import { realWorkloads } from "./real.js";
import { sparseWorkloads } from "./sparse.js";
import { speedWorkloads } from "./speed.js";
import { sweepWorkloads } from "./sweeps.js";
import { suites, type Workload } from "./workload.js";

/** Every workload that has a name of its own. */
export const workloads: readonly Workload[] = [
  ...realWorkloads,
  ...modelWorkloads,
  ...speedWorkloads,
  ...(decodeWorkloads as readonly Workload[]),
  ...sparseWorkloads,
  ...(rotaryWorkloads as readonly Workload[]),
  ...(mergeWorkloads as readonly Workload[]),
  ...sweepWorkloads,
];

/**
 * The cases called `standard`, which are measured when nothing is named: the recorded tensors and one
 * case of each kind of model, so that it takes less than two minutes.
 */
const standard: readonly string[] = [
  "real",
  "minilm-l6-256",
  "bert-base-512",
  "vit-b16-197",
  "swin-t-stage1",
  "yolo12-area",
  "whisper-encoder-1500",
  "whisper-cross-1",
  "llama-3.2-1b-prefill-512",
  "llama-3.2-1b-decode-2048",
  "gpt-oss-20b-local-decode-2048",
];

/** Names that stand for several cases. */
export const suiteNames: readonly string[] = ["standard", ...suites, "all"];

/** Names that a message lists: every backend and peer, and every suite with some cases. */
const mostShown = 20;

/** Names given that match nothing, with those that would have. */
export class UnknownNameError extends Error {
  constructor(what: string, unknown: readonly string[], known: readonly string[]) {
    const more = known.length - mostShown;
    const shown = known.slice(0, mostShown).join(", ");
    super(
      `unknown ${what} ${unknown.join(", ")}; known: ${shown}${more > 0 ? ` and ${more} more` : ""}`,
    );
    this.name = "UnknownNameError";
  }
}

/**
 * Picks workloads by id, suite or pattern (`llama*`, `sweep-*`), in the order of the list.
 *
 * @throws UnknownNameError if any name matches nothing
 */
export function selectWorkloads(names: readonly string[]): readonly Workload[] {
  const unknown = names.filter((name) => !workloads.some((w) => matches(w, name)));
  if (unknown.length > 0) {
    throw new UnknownNameError("cases", unknown, [...suiteNames, ...workloads.map(({ id }) => id)]);
  }
  return workloads.filter((workload) => names.some((name) => matches(workload, name)));
}

function matches(workload: Workload, name: string): boolean {
  const { id, suite } = workload;
  if (name === id || name === suite || name === "all") return true;
  if (name === "standard") return standard.some((one) => matches(workload, one));
  if (!name.includes("*")) return false;
  const literals = name.split("*").map((literal) => literal.replace(/[^\w]/g, "\\$&"));
  const pattern = new RegExp(`^${literals.join(".*")}$`);
  return pattern.test(id) || pattern.test(suite);
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
