/**
 * Mean entropy of the rows of weights, in bits: 0 if every query attends to one key, log2(keys) if
 * each attends to all keys alike.
 *
 * @param weights `[queries, keys]`, row-major
 */
export function meanEntropy(weights: Float32Array, keys: number): number {
  let sum = 0;
  for (const weight of weights) if (weight > 0) sum -= weight * Math.log2(weight);
  return sum / (weights.length / keys);
}

/**
 * Mean distance in tokens between a query and the keys that it attends to, weighted.
 *
 * @param weights `[queries, keys]`, row-major
 */
export function meanDistance(weights: Float32Array, keys: number): number {
  let sum = 0;
  for (const [i, weight] of weights.entries()) {
    sum += weight * Math.abs(Math.floor(i / keys) - (i % keys));
  }
  return sum / (weights.length / keys);
}

/** Indices of the largest values, largest first. */
export function largest(values: Float32Array, count: number): number[] {
  return [...values.keys()]
    .sort((a, b) => (values[b] as number) - (values[a] as number) || a - b)
    .slice(0, count);
}
