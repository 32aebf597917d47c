/**
 * `exp(x)` for x ≤ 0 to float32 accuracy: relative error below 2e-9 (float32 rounds at 6e-8), exactly
 * 1 at 0, exactly 0 below ln 2^-150, where float32 has nothing left, and NaN for NaN.
 *
 * Tang's table-driven method (Table-driven implementation of the exponential function, ACM TOMS
 * 15(2), 1989): x = n/8 · ln 2 + r with |r| ≤ ln 2 / 16, so exp(x) = 2^(n/8) · exp(r), a table
 * and a Taylor polynomial whose first term left out is r^5/120 < 1.3e-9. Some 3 times as fast as
 * `Math.exp`, which V8 calls out of line.
 */
export function expFloat32(x: number): number {
  const y = x * stepsOfOne;
  if (!(y > -tableSteps)) return Number.isNaN(y) ? y : 0;
  // Truncation towards 0 of a number shifted by half a step is rounding to nearest: −y ≥ 0.
  const n = (0.5 - y) | 0;
  const r = (y + n) * stepLength;
  const p = 1 + r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24))));
  return (powers[n] as number) * p;
}

const stepsPerOctave = 8;
/** Steps of the table. */
export const tableSteps: number = 150 * stepsPerOctave;
/** Steps for which an exponent falls by 1. */
export const stepsOfOne: number = stepsPerOctave / Math.LN2;
/** The difference of two exponents that are a step apart. */
export const stepLength: number = Math.LN2 / stepsPerOctave;

/** 2^(−n/8). */
export const powers: Float64Array = Float64Array.from(
  { length: tableSteps + 1 },
  (_, n) => 2 ** (-n / stepsPerOctave),
);
