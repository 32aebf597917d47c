import { alibi } from "./alibi.js";
import { biases } from "./bias.js";
import { causal } from "./causal.js";
import type { CallFeature } from "./feature.js";
import { kvLengths } from "./kv-lengths.js";
import { masks } from "./mask.js";
import { queryOffset } from "./query-offset.js";
import { scale } from "./scale.js";
import { sinks } from "./sinks.js";
import { softcap } from "./softcap.js";
import { window } from "./window.js";

/** Everything that a call can have, in the order in which the names of pairwise cases list it. */
export const features: readonly CallFeature[] = [
  causal,
  window,
  queryOffset,
  kvLengths,
  masks,
  biases,
  alibi,
  sinks,
  softcap,
  scale,
];

/** The order in which random problems draw them; another order would draw other problems. */
export const drawnFeatures: readonly CallFeature[] = [
  queryOffset,
  causal,
  window,
  alibi,
  kvLengths,
  masks,
  biases,
  sinks,
  softcap,
  scale,
];

/** The order in which the ids of the cases `masks/pair-…` name them. */
export const pairedFeatures: readonly CallFeature[] = [
  causal,
  window,
  kvLengths,
  masks,
  biases,
  alibi,
  sinks,
  scale,
  softcap,
];
