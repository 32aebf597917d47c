import { steps } from "../attention.js";
import { lowest, type NumberMutant } from "./mutant.js";

/** Keys of the full tiles of `n` keys only. */
const fullTiles = (n: number, tile: number): number => n - (n % tile);

/** Step 4: which keys a query sees. */
export const visibilityMutants: readonly NumberMutant[] = [
  {
    name: "the last key is skipped",
    profile: "core",
    steps: { length: (b, call) => Math.max(0, steps.length(b, call) - 1) },
  },
  {
    name: "the keys of the last tile are skipped unless it is full",
    profile: "core",
    steps: {
      length: (b, call) => {
        const n = steps.length(b, call);
        return n > 64 ? fullTiles(n, 64) : n;
      },
    },
  },
  {
    name: "the second half of every 32 keys is skipped",
    profile: "core",
    published: "onnxruntime#28520",
    steps: { inBand: (place, j, call) => j % 32 < 16 && steps.inBand(place, j, call) },
  },
  {
    name: "one key past kvLengths is seen",
    profile: "decode",
    steps: {
      length: (b, call) => Math.min(call.problem.keyLength, steps.length(b, call) + 1),
    },
  },
  {
    name: "kvLengths of batch 0 serve all batches",
    profile: "decode",
    steps: { length: (_, call) => steps.length(0, call) },
  },
  {
    name: "the mask of head 0 serves all heads",
    profile: "masks",
    steps: { attends: (place, j, call) => steps.attends({ ...place, h: 0 }, j, call) },
  },
  {
    name: "a mask that heads share hides keys of head 0 only",
    profile: "masks",
    published: "burn#4778",
    steps: {
      attends: (place, j, call) =>
        (place.h > 0 && call.problem.mask?.shape[1] === 1) || steps.attends(place, j, call),
    },
  },
  {
    name: "the mask is that of the key head",
    profile: "core",
    steps: {
      attends: (place, j, call) =>
        steps.attends({ ...place, h: steps.keyHead(place.h, call) }, j, call),
    },
  },
  {
    name: "a masked key has the lowest float32 as its logit",
    profile: "masks",
    steps: {
      attends: () => true,
      biased: (s, place, j, call) =>
        steps.attends(place, j, call) ? steps.biased(s, place, j, call) : lowest,
    },
  },
  {
    name: "the mask of batch 0 serves all batches",
    profile: "masks",
    steps: { attends: (place, j, call) => steps.attends({ ...place, b: 0 }, j, call) },
  },
  {
    name: "the mask is turned around",
    profile: "masks",
    steps: {
      attends: (place, j, call) => call.bound.mask === null || !steps.attends(place, j, call),
    },
  },
  {
    name: "a query does not see its own key",
    profile: "core",
    steps: {
      inBand: (place, j, call) =>
        steps.inBand(place, j, call) && !(call.problem.causal && j === place.p),
    },
  },
  {
    name: "causal is always aligned to the top left",
    profile: "masks",
    published: "onnxruntime#29020",
    steps: { position: (_, i) => i },
  },
  {
    name: "causal is always aligned to the bottom right",
    profile: "masks",
    published: "onnxruntime#29020",
    steps: {
      position: (b, i, call) => i + (call.bound.kvLengths[b] as number) - call.problem.queryLength,
    },
  },
  {
    name: "a negative query offset counts as 0",
    profile: "masks",
    steps: {
      position: (b, i, call) => i + Math.max(0, steps.position(b, 0, call)),
    },
  },
  {
    name: "the query offset of batch 0 serves all batches",
    profile: "masks",
    steps: { position: (_, i, call) => steps.position(0, i, call) },
  },
  {
    name: "a window's left end is exclusive",
    profile: "masks",
    steps: {
      inBand: (place, j, call) =>
        steps.inBand(place, j, call) && place.p - j !== (call.problem.window?.left ?? null),
    },
  },
  {
    name: "a window's right end is exclusive",
    profile: "masks",
    steps: {
      inBand: (place, j, call) =>
        steps.inBand(place, j, call) &&
        j - place.p !== (call.problem.causal ? null : (call.problem.window?.right ?? null)),
    },
  },
  {
    name: "a window needs causal to count",
    profile: "masks",
    steps: {
      inBand: (place, j, call) => !call.problem.causal || steps.inBand(place, j, call),
    },
  },
  {
    name: "−∞ in a bias is an ordinary number",
    profile: "masks",
    steps: {
      visible: () => true,
      max: (max) => (max === -Infinity ? -1e30 : max),
      logSumExp: (m, s) => m + Math.log(s),
    },
  },
  {
    name: "a bias of the lowest float32 hides its key",
    profile: "masks",
    steps: { visible: (s) => s > lowest },
  },
];
