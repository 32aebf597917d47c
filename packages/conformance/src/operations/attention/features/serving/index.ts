import { pages } from "./pages.js";
import { dataPositions } from "./positions.js";
import { ragged } from "./ragged.js";
import type { ServingFeature } from "./serving-feature.js";
import { storage } from "./storage.js";

/** Everything that describes stored keys and values, sequences and positions as data. */
export const servingFeatures: readonly ServingFeature[] = [storage, pages, ragged, dataPositions];
