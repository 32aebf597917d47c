import { type AttentionProblem, headsPerGroup } from "@heed/core";
import { type Capabilities, suitsUnrolled } from "../../capabilities.js";
import type { Choice } from "../choice/choice.js";
import { choiceOf, settingsOf, type Wish } from "../choice/from-settings.js";
import { withMap } from "../choose.js";

/** Stacked rows up to which it is worth trying the decode kernel, and `stream`, which have eight at a time. */
const mostDecodeRows = 64;
/** Keys up to which the row kernel, which reads each of them for every row, is worth trying. */
const mostRowKeys = 256;

/**
 * Choices to measure beside the rule's: kernels and their sizes, with as many splits as the rule gives them. The rule's
 * own kernel is the first stage, all others are the second; those that are likely to be fast come first, since
 * there may not be time for all of them. Pure.
 */
export function shapesToTry(
  problem: AttentionProblem,
  capabilities: Capabilities,
  rule: Choice,
): Choice[][] {
  const wishes = suitsUnrolled(capabilities)
    ? [...registers(problem, capabilities), ...rowWishes(problem), ...tiles(problem, capabilities)]
    : [
        ...decodes(problem),
        ...matrices(problem),
        ...tiles(problem, capabilities),
        ...rowWishes(problem),
      ];
  const { kernel } = rule;
  const near = wishes.filter((wish) => wish.kernel === kernel);
  const far = wishes.filter((wish) => wish.kernel !== kernel);
  return [near, far].map((stage) => distinct(problem, capabilities, stage, [rule]));
}

/** The same kernel and sizes with other numbers of splits, the nearest first. Pure. */
export function splitsToTry(
  problem: AttentionProblem,
  capabilities: Capabilities,
  choice: Choice,
  tried: readonly Choice[],
): Choice[] {
  const settings = settingsOf(choice);
  const { splits } = settings;
  const one = settings.kernel === "stream" ? 4 : 1;
  const wishes = [2, 0.5, 4, 0.25, 8]
    .map((factor) => Math.max(one, Math.round(splits * factor)))
    .concat(one)
    .map((other): Wish => ({ ...settings, splits: other }));
  return distinct(problem, capabilities, wishes, tried);
}

/** The choices of wishes that the device can have, each once, without those that were tried. */
function distinct(
  problem: AttentionProblem,
  capabilities: Capabilities,
  wishes: readonly Wish[],
  tried: readonly Choice[],
): Choice[] {
  const key = (choice: Choice): string => JSON.stringify(settingsOf(choice));
  const seen = new Set(tried.map(key));
  const choices: Choice[] = [];
  for (const wish of wishes) {
    const choice = choiceOf(problem, capabilities, wish);
    if (choice === null || seen.has(key(choice))) continue;
    seen.add(key(choice));
    choices.push(withMap(problem, choice));
  }
  return choices;
}

/** The least width of a workgroup's columns that has all of a value's, and half of it, of the widths that there are. */
function widths<W extends number>(ascending: readonly W[], { valueDim }: AttentionProblem): W[] {
  const all = ascending.find((width) => width >= valueDim) ?? ascending.at(-1);
  return ascending.filter((width) => width === all || 2 * width === all).reverse();
}

function tiles(problem: AttentionProblem, { subgroups, software }: Capabilities): Wish[] {
  const shuffles = subgroups && !software ? [true, false] : [false];
  return widths([32, 64, 128] as const, problem).flatMap((columns) =>
    ([16, 8] as const).flatMap((lanes) =>
      shuffles.map((shuffle): Wish => ({ kernel: "tile", lanes, columns, subgroups: shuffle })),
    ),
  );
}

function decodes(problem: AttentionProblem): Wish[] {
  if (headsPerGroup(problem) * problem.queryLength > mostDecodeRows) return [];
  return widths([64, 128, 256] as const, problem).map(
    (columns): Wish => ({ kernel: "decode", columns }),
  );
}

function matrices(problem: AttentionProblem): Wish[] {
  return widths([32, 64, 128] as const, problem).flatMap((columns) =>
    ([64, 32] as const).map((rows): Wish => ({ kernel: "subgroup-matrix", rows, columns })),
  );
}

function rowWishes({ keyLength }: AttentionProblem): Wish[] {
  return keyLength <= mostRowKeys ? [{ kernel: "row" }] : [];
}

/** Unrolled kernels. */
function registers(problem: AttentionProblem, { subgroups }: Capabilities): Wish[] {
  const rows = headsPerGroup(problem) * problem.queryLength;
  const streams: Wish[] =
    rows <= mostDecodeRows
      ? ([8, 4] as const).map((each): Wish => ({ kernel: "stream", rows: each }))
      : [];
  const quads = (subgroups ? [true, false] : [false]).flatMap((shared) =>
    ([2, 1] as const).flatMap((keys) =>
      ([16, 8, 4] as const).map(
        (each): Wish => ({ kernel: "quad", rows: each, keys, subgroups: shared }),
      ),
    ),
  );
  return [...streams, ...quads];
}
