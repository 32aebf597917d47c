import { checkNames, reading } from "../options.js";
import { floorDivide, type NumberExpression, remainder } from "../program/functions.js";
import { checkCount } from "./arguments.js";

/** An image whose pixels are tokens, row after row. */
export interface ImageSize {
  readonly height: number;
  readonly width: number;
}

/** The members of an image's options, whose sizes are checked. */
export function readImage<O extends ImageSize>(
  options: O,
  names: readonly (keyof O & string)[],
): O {
  checkNames("options", options, new Set([...names, "height", "width"]));
  const members = reading("options", () => ({ ...options }));
  checkCount("height", members.height, 1);
  checkCount("width", members.width, 1);
  return members;
}

/** Row and column of a token. */
export function pixelOf(
  token: NumberExpression,
  { width }: ImageSize,
): { readonly row: NumberExpression; readonly column: NumberExpression } {
  return { row: floorDivide(token, width), column: remainder(token, width) };
}
