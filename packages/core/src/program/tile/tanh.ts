import { describeValue, InvalidInputError } from "../../errors.js";
import { type Doubles, doubles } from "./doubles.js";

/** Squares of arguments below it are left to the continued fraction. */
const nearSquare = 1.8 ** 2;
/** Beyond it, float32's tanh is 1. */
const most = 10;
const perUnit = 16;
const middle = most * perUnit;
/** Taylor coefficients of degrees 0 to 4 at the multiples of 1/16 from −10 to 10. */
const terms = 5;
const coefficients: Doubles = coefficientsOf();

/**
 * tanh to float32 accuracy: relative error below 5e-9 (float32 rounds at 6e-8), 0 at 0, NaN for NaN. Up to 1.8 it is
 * Lambert's continued fraction, cut after the seventh denominator, and beyond a table of Taylor polynomials. `Math.tanh`,
 * which V8 calls out of line, takes three times as long for small arguments and twice for others.
 *
 * @throws InvalidInputError where `x` is no number
 */
export function tanhFloat32(x: number): number {
  // V8 leaves the question out where it knows the answer, as in loops on numbers.
  if (typeof x !== "number") throw new InvalidInputError("x", "a number", describeValue(x));
  const q = x * x;
  if (q < nearSquare) {
    const above = 135135 + q * (17325 + q * (378 + q));
    return (x * above) / (135135 + q * (62370 + q * (3150 + q * 28)));
  }
  return tanhByTable(x);
}

function tanhByTable(x: number): number {
  if (x > most) return 1;
  if (x < -most) return -1;
  // For NaN, n is 0, and t is NaN.
  const n = (x * perUnit + (middle + 0.5)) | 0;
  const t = x - (n - middle) / perUnit;
  const at = Math.imul(n, terms);
  let sum = coefficients[(at + 4) | 0] as number;
  sum = (coefficients[(at + 3) | 0] as number) + t * sum;
  sum = (coefficients[(at + 2) | 0] as number) + t * sum;
  sum = (coefficients[(at + 1) | 0] as number) + t * sum;
  return (coefficients[at] as number) + t * sum;
}

function coefficientsOf(): Doubles {
  const list = doubles((2 * middle + 1) * terms);
  for (let n = 0; n <= 2 * middle; n++) {
    const y = Math.tanh((n - middle) / perUnit);
    const slope = 1 - y * y;
    // Derivatives of tanh divided by factorials, as polynomials of tanh.
    const third = (slope * (3 * y * y - 1)) / 3;
    const fourth = (y * slope * (2 - 3 * y * y)) / 3;
    [y, slope, -y * slope, third, fourth].forEach((value, degree) => {
      list[n * terms + degree] = value;
    });
  }
  return list;
}
