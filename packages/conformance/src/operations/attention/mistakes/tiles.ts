import type { Mistake } from "./mistake.js";
import type { TileSteps } from "./tiled-softmax.js";

const unlessFull = (factor: number, full: boolean): number => (full ? factor : 1);

/** Mistakes of kernels that process keys one tile at a time with an online softmax. */
const families: readonly {
  readonly name: (tile: number) => string;
  readonly make: Partial<TileSteps>;
}[] = [
  {
    name: (n) => `the output so far is not rescaled when a tile of ${n} keys raises the maximum`,
    make: { output: () => 1 },
  },
  {
    name: (n) =>
      `the output so far is not rescaled when a last tile of ${n} keys that is not full raises the maximum`,
    make: { output: unlessFull },
  },
  {
    name: (n) => `the sum so far is not rescaled when a tile of ${n} keys raises the maximum`,
    make: { sum: () => 1 },
  },
  {
    name: (n) =>
      `the sum so far is not rescaled when a last tile of ${n} keys that is not full raises the maximum`,
    make: { sum: unlessFull },
  },
  {
    name: (n) =>
      `neither output nor sum so far are rescaled when a tile of ${n} keys raises the maximum`,
    make: { output: () => 1, sum: () => 1 },
  },
  {
    name: (n) => `a last tile of ${n} keys that is not full counts twice`,
    make: { times: (full) => (full ? 1 : 2) },
  },
  {
    name: (n) => `keys that a last tile of ${n} lacks count as keys and values of 0`,
    make: { missing: 0 },
  },
  {
    name: (n) => `the sink counts once for each tile of ${n} keys, not once for the row`,
    make: { sinkOfEach: true },
  },
];

/** Mistakes of a kernel with tiles of `tile` keys in how tiles come together. */
export function tileMistakes(tile: number): Mistake[] {
  return families.map(({ name, make }) => ({
    name: name(tile),
    semantics: { kind: "tiles", tile, steps: make },
  }));
}
