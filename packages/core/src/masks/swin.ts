import { InvalidInputError } from "../errors.js";
import {
  add,
  and,
  equal,
  floorDivide,
  greaterEqual,
  multiply,
  type NumberExpression,
  remainder,
  subtract,
} from "../program/functions.js";
import { maskMod, scoreMod } from "../program/program.js";
import type { MaskProgram, ScoreProgram } from "../program/program-class.js";
import { table } from "../program/sources.js";
import type { HostTensor } from "../tensor/tensor.js";
import { checkCount, checkMultiple, checkShape } from "./arguments.js";
import { type ImageSize, pixelOf, readImage } from "./image.js";

/** Windows of a Swin Transformer; tokens are the pixels of the image that is not shifted, row after row. */
export interface SwinOptions extends ImageSize {
  /** Rows and columns of a window; height and width are multiples of it. */
  readonly window: number;
  /** How far the image is rolled up and left before it is cut into windows, 0 to window − 1. Default 0. */
  readonly shift?: number | undefined;
}

/**
 * Each pixel sees those of its window; in shifted windows that rolling has joined, those that were neighbours
 * before (Swin Transformer, Liu et al., 2021, arXiv:2103.14030).
 *
 * @throws InvalidInputError naming the option at fault
 */
export function swin(options: SwinOptions): MaskProgram {
  const image = readSwin(options);
  const { window, shift, height, width } = image;
  return maskMod(({ query, key }) => {
    const [from, to] = [pixelOf(query, image), pixelOf(key, image)];
    const together = (a: NumberExpression, b: NumberExpression, size: number) => {
      const [x, y] = [rolled(a, shift, size), rolled(b, shift, size)];
      const wrapped = (place: NumberExpression) => greaterEqual(place, size - shift);
      const sameWindow = equal(floorDivide(x, window), floorDivide(y, window));
      return shift === 0 ? sameWindow : and(sameWindow, equal(wrapped(x), wrapped(y)));
    };
    return and(together(from.row, to.row, height), together(from.column, to.column, width));
  });
}

/**
 * Adds Swin's relative position bias to scores: `bias[(Δrow + w − 1)(2w − 1) + Δcolumn + w − 1, head]`, by distances
 * from key to query within a window of w × w.
 *
 * @param bias float32 `[(2 · window − 1)², heads]`, as Swin saves it
 * @throws InvalidInputError naming the argument at fault
 */
export function swinBias(bias: HostTensor, options: SwinOptions): ScoreProgram {
  const image = readSwin(options);
  const { window, shift, height, width } = image;
  const side = 2 * window - 1;
  const biases = table(
    checkShape("bias", bias, "float32", [side * side, null]) as HostTensor<"float32">,
  );
  return scoreMod(({ score, head, query, key }) => {
    const [from, to] = [pixelOf(query, image), pixelOf(key, image)];
    const distance = (a: NumberExpression, b: NumberExpression, size: number) => {
      const [x, y] = [rolled(a, shift, size), rolled(b, shift, size)];
      return add(subtract(remainder(x, window), remainder(y, window)), window - 1);
    };
    const rows = distance(from.row, to.row, height);
    const columns = distance(from.column, to.column, width);
    return add(score, biases.at(add(multiply(rows, side), columns), head));
  });
}

/** A row or column after rolling by `shift`. */
function rolled(place: NumberExpression, shift: number, size: number): NumberExpression {
  return shift === 0 ? place : remainder(subtract(place, shift), size);
}

function readSwin(options: SwinOptions): Required<SwinOptions> & { readonly shift: number } {
  const image = readImage(options, ["window", "shift"]);
  const { window, shift = 0, height, width } = image;
  checkCount("window", window, 1);
  checkCount("shift", shift, 0);
  if (shift >= window) {
    throw new InvalidInputError("shift", `less than the window's size ${window}`, `${shift}`);
  }
  checkMultiple("height", height, "window", window);
  checkMultiple("width", width, "window", window);
  return { ...image, shift };
}
