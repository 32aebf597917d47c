import type { ProviderTraits } from "../traits.js";
import type { GraphSpec } from "./spec.js";

/** How attention is written: from plain operators, or as one node of the operator Attention. */
export type GraphKind = "plain" | "attention";

/**
 * The graph that computes a spec on a provider: rightly, and of those that do, the fastest measured.
 * Pure: the same spec and traits give the same choice everywhere.
 */
export function chooseGraph(_spec: GraphSpec, _traits: ProviderTraits): GraphKind {
  return "plain";
}

/** The name that plans tell, e.g. `"wasm plain"`. */
export function kernelName(kind: GraphKind, { provider }: ProviderTraits): string {
  return `${provider} ${kind === "plain" ? "MatMul, Softmax, MatMul" : "Attention"}`;
}
