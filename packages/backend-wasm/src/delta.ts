/**
 * Applies a difference that build/delta.js has made.
 *
 * @param delta of each step a count, so many literal bytes, an offset into `from` and a count to copy; counts
 *   and offsets in LEB128
 * @param length of the result
 */
export function applyDelta(
  from: Uint8Array,
  delta: Uint8Array,
  length: number,
): Uint8Array<ArrayBuffer> {
  const to = new Uint8Array(length);
  let read = 0;
  let written = 0;
  const integer = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = delta[read++] as number;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (read < delta.length) {
    const literals = integer();
    to.set(delta.subarray(read, read + literals), written);
    read += literals;
    written += literals;
    const at = integer();
    const count = integer();
    to.set(from.subarray(at, at + count), written);
    written += count;
  }
  return to;
}
