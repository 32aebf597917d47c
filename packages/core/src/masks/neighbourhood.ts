import { describeValue, InvalidInputError } from "../errors.js";
import { isList } from "../options.js";
import {
  add,
  and,
  less,
  lessEqual,
  maximum,
  minimum,
  type NumberExpression,
  subtract,
} from "../program/functions.js";
import { maskMod } from "../program/program.js";
import type { MaskProgram } from "../program/program-class.js";
import { checkCount } from "./arguments.js";
import { type ImageSize, pixelOf, readImage } from "./image.js";

/** Sizes of neighbourhood attention. */
export interface NeighbourhoodOptions extends ImageSize {
  /** Rows and columns of a neighbourhood, at most the image's: one number for both, or `[rows, columns]`. */
  readonly kernel: number | readonly [rows: number, columns: number];
}

/**
 * Each pixel sees the pixels around it; at the edges the neighbourhood is moved inside, so that all see equally
 * many (Neighborhood Attention Transformer, Hassani et al., 2023, arXiv:2204.07143).
 *
 * @throws InvalidInputError naming the option at fault
 */
export function neighbourhood(options: NeighbourhoodOptions): MaskProgram {
  const image = readImage(options, ["kernel"]);
  const { kernel, height, width } = image;
  const [rows, columns] = isList(kernel) ? kernel : [kernel, kernel];
  checkKernel(rows, height);
  checkKernel(columns, width);
  return maskMod(({ query, key }) => {
    const from = pixelOf(query, image);
    const to = pixelOf(key, image);
    return and(near(from.row, to.row, rows, height), near(from.column, to.column, columns, width));
  });
}

/** Whether `to` is among the `kernel` places around `from`, moved inside `0 ≤ … < size`. */
function near(from: NumberExpression, to: NumberExpression, kernel: number, size: number) {
  const start = minimum(maximum(subtract(from, kernel >> 1), 0), size - kernel);
  return and(lessEqual(start, to), less(to, add(start, kernel)));
}

function checkKernel(value: unknown, size: number): asserts value is number {
  checkCount("kernel", value, 1);
  if (value <= size) return;
  throw new InvalidInputError("kernel", `at most the image's size ${size}`, describeValue(value));
}
