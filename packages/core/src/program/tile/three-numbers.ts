import { type Doubles, doubles } from "./doubles.js";
import type { Instructions } from "./instructions.js";
import type { Value } from "./values.js";

/** A number for each row of a panel. */
export interface ThreeNumbers {
  /** Numbers of the panel that was loaded last. */
  readonly numbers: Doubles;
  /** @param r the panel's first row */
  readonly load: (r: number) => void;
}

/** The numbers of a value that is no list of scores, or their reciprocals; ones without a value. */
export function threeNumbers(
  program: Instructions,
  value: Value | null,
  divides = false,
): ThreeNumbers {
  const numbers = doubles(3).fill(1);
  if (value === null) return { numbers, load: (): void => {} };
  const { step, lane } = program.stepsOf(value);
  const from = value.floats.data;
  const load = (r: number): void => {
    for (let l = 0; l < 3; l++) {
      const x = from[r * step + l * lane] as number;
      numbers[l] = divides ? 1 / x : x;
    }
  };
  return { numbers, load };
}
