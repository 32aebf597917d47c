import type { AttentionProblem, BoundPositions } from "@heed/core";

/** `[B or 1, 1, Lq or 1, Lk]`: no larger than what hides keys varies. */
export function hidingBiasShape(p: AttentionProblem): [number, number, number, number] {
  return [p.kvLengths ? p.batch : 1, 1, p.causal ? p.queryLength : 1, p.keyLength];
}

/**
 * Of {@link hidingBiasShape}: −∞ where causal or the lengths hide the key, for peers that know
 * neither. Equal lengths, query 0 at key 0.
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
