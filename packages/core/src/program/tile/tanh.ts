import { describeValue, InvalidInputError } from "../../errors.js";
import { type Doubles, doubles } from "./doubles.js";

/** Squares of arguments up to which the quotient of degrees 3 and 2 is taken, and beyond that the one of 7 and 6. */
const nearSquare = 0.65 ** 2;
const farSquare = 3 ** 2;
/** Beyond it, float32's tanh is 1. */
const most = 10;
const perUnit = 16;
const middle = most * perUnit;
/** Taylor coefficients of degrees 0 to 4 at the multiples of 1/16 from −10 to 10. */
const terms = 5;
const coefficients: Doubles = coefficientsOf();

/**
 * tanh to float32 accuracy: relative error below 5e-9 (float32 rounds at 6e-8), 0 at 0, NaN for NaN. Up to 3 it is one of two
 * quotients of polynomials, which meet tanh(x) / x in the Chebyshev points of their range of x², and beyond a table of Taylor
 * polynomials. `Math.tanh`, which V8 calls out of line, takes three times as long for small arguments and twice for others.
 *
 * @throws InvalidInputError where `x` is no number
 */
export function tanhFloat32(x: number): number {
  // V8 leaves the question out where it knows the answer, as in loops on numbers.
  if (typeof x !== "number") throw new InvalidInputError("x", "a number", describeValue(x));
  const q = x * x;
  if (q < nearSquare) {
    return (x * (106.41661737 + q * 10.093731611)) / (106.41661763 + q * (45.565917588 + q));
  }
  if (q < farSquare) {
    const above = 5275.7895 + q * (670.1834646 + q * (14.08247324 + q * 0.03324926146));
    return (x * above) / (5275.789508 + q * (2428.779871 + q * (120.2373715 + q)));
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
