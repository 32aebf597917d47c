import { type AttentionInputs, type Backend, type DType, describeProblem, zeros } from "@heed/core";

/**
 * Pairs `query/keys` of element types in which a backend computes attention with the rules that parts of calls have:
 * positions as data, lengths, and the log-sum-exp as a result.
 */
export function dtypePairs(backend: Pick<Backend, "supports">): readonly string[] {
  const pairs: readonly (readonly [DType, DType])[] = [
    ["float64", "float64"],
    ["float32", "float32"],
    ["float32", "float16"],
    ["float32", "int8"],
  ];
  return pairs
    .filter(([query, keys]) => backend.supports(describeProblem(example(query, keys))).ok)
    .map((pair) => pair.join("/"));
}

function example(query: DType, keys: DType): AttentionInputs {
  const shape = [1, 1, 2, 4];
  const scales = zeros("float32", shape.slice(0, 3));
  return {
    query: zeros(query, shape),
    key: zeros(keys, shape),
    value: zeros(keys, shape),
    ...(keys === "int8" && { keyScales: scales, valueScales: scales }),
    causal: true,
    queryPositions: zeros("int32", [1, 2]),
    keyPositions: zeros("int32", [1, 2]),
    kvLengths: [2],
    returns: { logSumExp: true },
  };
}
