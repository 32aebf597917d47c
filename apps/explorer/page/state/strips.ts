/** Query rows that are computed at once. */
export const stripRows = 64;

/** Numbers of the strips of rows that are on screen. Lengths in CSS pixels. */
export function stripsInView(
  scrolled: number,
  height: number,
  cell: number,
  rows: number,
): number[] {
  const first = Math.max(0, Math.floor(scrolled / cell / stripRows));
  const last = Math.min(
    Math.ceil(rows / stripRows),
    Math.ceil((scrolled + height) / cell / stripRows),
  );
  return Array.from({ length: Math.max(0, last - first) }, (_, i) => first + i);
}

/** Strips that were computed; the one that was looked at longest ago is given up first. */
export class StripCache {
  readonly #strips = new Map<string, Float32Array>();
  readonly #bytes: number;

  /** @param bytes most bytes that the strips together take */
  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  get(key: string): Float32Array | undefined {
    const strip = this.#strips.get(key);
    if (strip) {
      this.#strips.delete(key);
      this.#strips.set(key, strip);
    }
    return strip;
  }

  set(key: string, strip: Float32Array): void {
    this.#strips.delete(key);
    this.#strips.set(key, strip);
    for (const oldest of this.#strips.keys()) {
      if (this.bytes <= this.#bytes || oldest === key) break;
      this.#strips.delete(oldest);
    }
  }

  get bytes(): number {
    let sum = 0;
    for (const strip of this.#strips.values()) sum += strip.byteLength;
    return sum;
  }

  clear(): void {
    this.#strips.clear();
  }
}
