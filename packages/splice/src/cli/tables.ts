import { formatBudgets } from "@heed/conformance";
import Table from "cli-table3";
import type { BackendCheck, ModelCheck } from "../check/check.js";
import type { Site } from "../site.js";
import type { SplicedModel } from "../spliced-model.js";

/** The sites of a model, and what is not understood. */
export function formatFound({ sites, notUnderstood }: SplicedModel): string {
  const table = new Table({
    head: ["site", "written as", "heads", "head size", "mask", "kind"],
    style: { head: [], border: [] },
    wordWrap: true,
    colWidths: [32, 44, null, null, null, null],
  });
  for (const site of sites) {
    table.push([
      site.name,
      [site.operator, ...site.spelling].join("; "),
      headsOf(site),
      `${site.headDim ?? "?"}`,
      [...site.mask, ...(site.causal ? ["causal"] : [])].join(", ") || "none",
      site.kind ?? "?",
    ]);
  }
  const left = notUnderstood.map(
    ({ name, operator, reason }) => `left to the runtime: ${operator} ${name}: ${reason}`,
  );
  return [table.toString(), ...left].join("\n");
}

function headsOf({ heads, kvHeads }: Site): string {
  if (heads === null) return "?";
  return kvHeads === null || kvHeads === heads ? `${heads}` : `${heads} on ${kvHeads}`;
}

/** Errors of each site and output on each backend. */
export function formatChecks(checks: readonly BackendCheck[]): string {
  return checks
    .map((check) =>
      "unavailable" in check
        ? `${check.backend}: not available: ${check.unavailable.split("\n")[0]}`
        : formatCheck(check),
    )
    .join("\n\n");
}

function formatCheck({ backend, sites, outputs, passed }: ModelCheck): string {
  const style = { head: [], border: [] };
  const ofSites = new Table({ head: ["site", "sizes", "error in budgets", "ms"], style });
  for (const { site, sizes, causal, budgets, milliseconds, reason } of sites) {
    if (sizes === null || budgets === null || milliseconds === null) {
      ofSites.push([site.name, { colSpan: 3, content: `run by the runtime: ${reason ?? ""}` }]);
    } else {
      const shown = `${sizes.join(" × ")}${causal ? ", causal" : ""}`;
      ofSites.push([site.name, shown, formatBudgets(budgets), milliseconds.toFixed(2)]);
    }
  }
  const ofOutputs = new Table({
    head: ["output", "sizes", "largest", "largest difference", "error in budgets"],
    style,
  });
  for (const { name, dims, largest, difference, budgets } of outputs) {
    ofOutputs.push([
      name,
      dims.join(" × "),
      largest.toPrecision(3),
      difference.toExponential(1),
      formatBudgets(budgets),
    ]);
  }
  const verdict = passed
    ? "the model keeps its outputs"
    : "an error is larger than its budget: 1 is as large as it may be";
  return [`${backend}: ${verdict}`, ofSites.toString(), ofOutputs.toString()].join("\n");
}
