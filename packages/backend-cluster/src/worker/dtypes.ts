import { type AttentionInputs, type Backend, type DType, describeProblem, zeros } from "@heed/core";
import { greaterEqual, maskMod } from "@heed/core/program";

/**
 * Pairs `query/keys` of element types in which a backend computes attention with the rules that parts of calls have:
 * positions as data, lengths, and the log-sum-exp as a result. A pair that goes with programs comes a second time, with
 * `+program` behind it.
 */
export function dtypePairs(backend: Pick<Backend, "supports">): readonly string[] {
  const pairs: readonly (readonly [DType, DType])[] = [
    ["float64", "float64"],
    ["float32", "float32"],
    ["float32", "float16"],
    ["float32", "int8"],
  ];
  return pairs.flatMap((pair) => {
    const plain = example(...pair);
    const does = (inputs: AttentionInputs): boolean => backend.supports(describeProblem(inputs)).ok;
    if (!does(plain)) return [];
    const name = pair.join("/");
    return does({ ...plain, maskMod: program }) ? [name, `${name}+program`] : [name];
  });
}

const program = maskMod(({ query, key }) => greaterEqual(query, key));

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
