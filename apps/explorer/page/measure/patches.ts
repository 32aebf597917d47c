/** Rows and columns of patches into which a picture is cut. */
export interface PatchGrid {
  readonly rows: number;
  readonly columns: number;
  /** Tokens before the first patch, such as a class token. */
  readonly before: number;
}

/** The cost of a class token, as a logarithm: patches without one may be twice as far from a square. */
const classToken = Math.log(2);

/**
 * Ways to cut a picture into as many patches as there are tokens, the most square patches first. A token more than
 * patches is taken for a class token, where no cut of all of them is near a square.
 */
export function patchGrids(tokens: number, width: number, height: number): PatchGrid[] {
  const grids = [0, 1].flatMap((before) => {
    const count = tokens - before;
    return Array.from({ length: Math.max(0, count) }, (_, i) => i + 1)
      .filter((rows) => count % rows === 0)
      .map((rows) => ({ rows, columns: count / rows, before }));
  });
  const strangeness = ({ rows, columns, before }: PatchGrid): number =>
    Math.abs(Math.log(width / columns / (height / rows))) + before * classToken;
  return grids.sort((a, b) => strangeness(a) - strangeness(b));
}
