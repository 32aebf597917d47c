import type { Quantity } from "../state/state.js";
import { type Colour, shareColour, signedColour } from "./colours.js";

/** A part of a matrix that is shown, or saved: some rows and columns of it. */
export interface Part {
  readonly firstRow: number;
  readonly rows: number;
  readonly firstColumn: number;
  readonly columns: number;
}

/** The numbers of a matrix: those of attention, or whether a mask lets a query see a key, 1 or 0. */
export type MapQuantity = Quantity | "mask";

/** A matrix of queries and keys, row by row. A row that has not been computed is undefined. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly quantity: MapQuantity;
  /** Value at which colours end. */
  readonly most: number;
  /** Values of a row; NaN is a key that is hidden. */
  row(i: number): Float32Array | undefined;
}

/** One head's part of `[heads, length, length]`. */
export function matrixOf(
  all: Float32Array,
  head: number,
  size: number,
  quantity: Quantity,
): Matrix {
  const own = all.subarray(head * size * size, (head + 1) * size * size);
  let most = 0;
  for (const x of own) most = Math.max(most, Math.abs(x));
  return {
    rows: size,
    columns: size,
    quantity,
    most,
    row: (i) => own.subarray(i * size, (i + 1) * size),
  };
}

/** Shares of blue of the keys that a query sees, and of those that are hidden from it. */
const [seen, unseen] = [0.75, 0.03] as const;

export function colourOf(matrix: Pick<Matrix, "quantity" | "most">, dark: boolean) {
  const { quantity, most } = matrix;
  const factor = most > 0 ? 1 / most : 0;
  if (quantity === "mask") return (x: number): Colour => shareColour(x > 0.5 ? seen : unseen, dark);
  return quantity === "weights"
    ? (x: number): Colour => shareColour(x * factor, dark)
    : (x: number): Colour => signedColour(x * factor, dark);
}

function isSigned(quantity: MapQuantity): boolean {
  return quantity !== "weights" && quantity !== "mask";
}

/** Colours of all values between the ends, so that drawing looks them up. */
const shades = 256;

/** Paints a part, one pixel a cell; rows that are missing, and keys that are hidden, stay transparent. */
export function paint(matrix: Matrix, part: Part, dark: boolean): ImageData {
  const image = new ImageData(Math.max(1, part.columns), Math.max(1, part.rows));
  const pixels = new Uint32Array(image.data.buffer);
  const least = isSigned(matrix.quantity) ? -matrix.most : 0;
  const colour = colourOf(matrix, dark);
  const table = Uint32Array.from({ length: shades }, (_, i) => {
    const [r, g, b] = colour(least + ((matrix.most - least) * i) / (shades - 1));
    return (255 << 24) | (b << 16) | (g << 8) | r;
  });
  const factor = matrix.most > least ? (shades - 1) / (matrix.most - least) : 0;
  for (let i = 0; i < part.rows; i++) {
    const row = matrix.row(part.firstRow + i);
    if (!row) continue;
    for (let j = 0; j < part.columns; j++) {
      const value = row[part.firstColumn + j] as number;
      if (Number.isNaN(value)) continue;
      const at = (value - least) * factor;
      const shade = Math.max(0, Math.min(shades - 1, Math.round(at)));
      pixels[i * part.columns + j] = table[shade] as number;
    }
  }
  return image;
}
