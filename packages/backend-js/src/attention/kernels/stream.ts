/**
 * Products of the streaming kernel: one query row at a time over keys and values read where they
 * lie. A tile of them stays in the first-level cache while the few rows of a group pass over it, so
 * memory is read once.
 */

/**
 * `scores[at + j] = ⟨query[row], key[j]⟩`.
 *
 * @param query `[rows, size]`
 * @param key key j starts at `base + j·stride` and is `size` long
 * @param keys any number
 */
export function streamScores(
  query: number[],
  row: number,
  key: Float32Array,
  base: number,
  stride: number,
  keys: number,
  size: number,
  scores: number[],
  at: number,
): void {
  const q = row * size;
  let j = 0;
  for (; j + 4 <= keys; j += 4) {
    const k0 = base + j * stride;
    const k1 = k0 + stride;
    const k2 = k1 + stride;
    const k3 = k2 + stride;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let c = 0; c < size; c++) {
      const x = query[q + c] as number;
      s0 += x * (key[k0 + c] as number);
      s1 += x * (key[k1 + c] as number);
      s2 += x * (key[k2 + c] as number);
      s3 += x * (key[k3 + c] as number);
    }
    scores[at + j] = s0;
    scores[at + j + 1] = s1;
    scores[at + j + 2] = s2;
    scores[at + j + 3] = s3;
  }
  for (; j < keys; j++) {
    const k = base + j * stride;
    let s = 0;
    for (let c = 0; c < size; c++) s += (query[q + c] as number) * (key[k + c] as number);
    scores[at + j] = s;
  }
}

/**
 * `output[to + c] += Σ_j weights[at + j] · value[j, c]`.
 *
 * @param value value j starts at `base + j·stride` and is `size` long
 * @param keys any number
 */
export function streamValues(
  weights: number[],
  at: number,
  value: Float32Array,
  base: number,
  stride: number,
  keys: number,
  size: number,
  output: number[],
  to: number,
): void {
  let j = 0;
  for (; j + 4 <= keys; j += 4) {
    const v0 = base + j * stride;
    const v1 = v0 + stride;
    const v2 = v1 + stride;
    const v3 = v2 + stride;
    const w0 = weights[at + j] as number;
    const w1 = weights[at + j + 1] as number;
    const w2 = weights[at + j + 2] as number;
    const w3 = weights[at + j + 3] as number;
    for (let c = 0; c < size; c++) {
      (output[to + c] as number) +=
        w0 * (value[v0 + c] as number) +
        w1 * (value[v1 + c] as number) +
        (w2 * (value[v2 + c] as number) + w3 * (value[v3 + c] as number));
    }
  }
  for (; j < keys; j++) {
    const v = base + j * stride;
    const w = weights[at + j] as number;
    for (let c = 0; c < size; c++) (output[to + c] as number) += w * (value[v + c] as number);
  }
}
