import { denominatorMistakes } from "./denominators.js";
import { keyMistakes } from "./keys.js";
import { lengthMistakes } from "./lengths.js";
import { logitMistakes } from "./logits.js";
import { maskMistakes } from "./masks.js";
import type { Mistake } from "./mistake.js";
import { neighbours } from "./neighbours.js";
import { pairMistakes } from "./pairs.js";
import { positionMistakes } from "./positions.js";
import { programMistakes } from "./programs.js";
import { returnedMistakes } from "./returned.js";
import { servingMistakes } from "./serving.js";
import { wrongSizes } from "./sizes.js";
import { softmaxMistakes } from "./softmax.js";
import { storageMistakes } from "./storage.js";
import { rowTails, tails } from "./tails.js";
import { tileKeyMistakes } from "./tile-keys.js";
import { tileMistakes } from "./tiles.js";

/** Sizes of tiles that are tried, with those that a plan tells. */
export const usualTiles: readonly number[] = [4, 8, 16, 32, 64, 128];

/**
 * Every mistake that the suite knows: explanations of failures and the mutants that test the suite come
 * from this one list.
 *
 * @param tiles sizes of tiles of keys
 */
export function catalogue(tiles: readonly number[] = usualTiles): Mistake[] {
  return [
    ...keyMistakes,
    ...logitMistakes,
    ...maskMistakes,
    ...positionMistakes,
    ...lengthMistakes,
    ...neighbours,
    ...wrongSizes,
    ...tails,
    ...tiles.flatMap(tileKeyMistakes),
    ...denominatorMistakes,
    ...rowTails,
    ...tiles.flatMap(tileMistakes),
    ...softmaxMistakes,
    ...returnedMistakes,
    ...storageMistakes,
    ...pairMistakes,
    ...servingMistakes,
    ...programMistakes,
  ];
}
