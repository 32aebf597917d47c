import type { Folder } from "../graph/fold.js";
import { bodiesOf, type ModelGraph } from "../graph/graph.js";
import type { Sizes } from "../graph/sizes.js";
import type { FoundSite, NotUnderstood } from "./form.js";
import { readOperator, unknownOperators } from "./operators.js";
import { readSoftmax } from "./softmax.js";

export interface Found {
  readonly sites: readonly FoundSite[];
  readonly notUnderstood: readonly NotUnderstood[];
}

/** Every attention of a graph, in an order in which they can be run. */
export function findSites(graph: ModelGraph, folder: Folder, sizes: Sizes): Found {
  const sites: FoundSite[] = [];
  const notUnderstood: NotUnderstood[] = [];
  const names = new Set<string>();
  const taken = new Set<string>();
  for (const node of graph.nodes) {
    notUnderstood.push(...insideOf(node.proto));
    const different = unknownOperators[node.operator];
    if (different) {
      const reason = `attention with ${different}, which stays with the runtime`;
      notUnderstood.push({
        name: node.name || (node.outputs[0] ?? ""),
        operator: node.operator,
        reason,
      });
    }
    const found =
      node.operator === "Softmax" ? readSoftmax(graph, folder, sizes, node) : readOperator(node);
    if (!found) continue;
    if ("reason" in found) notUnderstood.push(found);
    else if (taken.has(found.output)) {
      const reason = "its result is multiplied into what another softmax makes";
      notUnderstood.push({ name: found.name, operator: "Softmax", reason });
    } else {
      taken.add(found.output);
      sites.push({ ...found, name: unique(found.name, names) });
    }
  }
  return { sites, notUnderstood };
}

/** Attention in bodies of control flow: it runs an unknown number of times, and stays there. */
function insideOf(node: Parameters<typeof bodiesOf>[0]): NotUnderstood[] {
  return bodiesOf(node).flatMap((body) =>
    body.node.flatMap((inner) => [
      ...(inner.opType === "Softmax" || inner.opType.endsWith("Attention")
        ? [
            {
              name: inner.name || (inner.output[0] ?? ""),
              operator: inner.opType,
              reason: `it is inside the body of ${node.opType} ${JSON.stringify(node.name)}, which the runtime runs as a whole`,
            },
          ]
        : []),
      ...insideOf(inner),
    ]),
  );
}

function unique(name: string, names: Set<string>): string {
  let free = name;
  for (let count = 2; names.has(free); count++) free = `${name} ${count}`;
  names.add(free);
  return free;
}
