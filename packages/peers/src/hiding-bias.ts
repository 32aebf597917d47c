import type { AttentionProblem, BoundPositions } from "@heed/core";

/** The smallest shape that a bias can hide the keys with: `[B or 1, 1, Lq or 1, Lk]`. */
export function hidingBiasShape(p: AttentionProblem): [number, number, number, number] {
  return [p.kvLengths ? p.batch : 1, 1, p.causal ? p.queryLength : 1, p.keyLength];
}

/**
 * A bias of {@link hidingBiasShape} that is −∞ where causal or the lengths hide the key, for peers that
 * support neither. Query and key lengths are equal, and query 0 is at key 0.
 */
export function hidingBias(p: AttentionProblem, { kvLengths }: BoundPositions): Float32Array {
  const [batches, , rows, keys] = hidingBiasShape(p);
  const bias = new Float32Array(batches * rows * keys);
  for (let b = 0; b < batches; b++) {
    const length = kvLengths[b] ?? keys;
    for (let i = 0; i < rows; i++) {
      const end = p.causal ? Math.min(length, i + 1) : length;
      const row = (b * rows + i) * keys;
      bias.fill(Number.NEGATIVE_INFINITY, row + end, row + keys);
    }
  }
  return bias;
}
