/** Steps looked at: the clock of a page may be jittered, and an interruption makes one longer. */
const steps = 20;

/**
 * The least difference that `performance.now` can show: well under a microsecond in Node, 5 µs in a
 * page that is cross-origin isolated, 100 µs in one that is not (W3C High Resolution Time, 2024).
 *
 * @returns ms
 */
export function clockTick(): number {
  let least = Number.POSITIVE_INFINITY;
  let last = performance.now();
  for (let step = 0; step < steps; ) {
    const now = performance.now();
    if (now === last) continue;
    least = Math.min(least, now - last);
    last = now;
    step++;
  }
  return least;
}

/** Largest fraction of a timed interval that one tick of the clock may be. */
const precision = 0.01;

/** How often something that takes `ms` has to be done between two looks at the clock. */
export function repeatsFor(ms: number, tick: number): number {
  return Math.max(1, Math.ceil(tick / precision / Math.max(ms, 1e-3)));
}
