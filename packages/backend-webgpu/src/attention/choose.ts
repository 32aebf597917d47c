import { type AttentionProblem, headsPerGroup, lengthClassKey } from "@heed/core";
import { type Capabilities, suitsUnrolled } from "../capabilities.js";
import { type Choice, withInvariantSums } from "./choice/choice.js";
import { chooseDecode, fitsDecode } from "./choice/decode.js";
import { choiceOf } from "./choice/from-settings.js";
import { chooseGathered } from "./choice/gathered.js";
import {
  chooseQuad,
  chooseStream,
  fitsRegisters,
  mostStreamRows,
  suitsRegisters,
} from "./choice/registers.js";
import { chooseRow, suitsRows } from "./choice/row.js";
import type { Measured } from "./choice/settings.js";
import { chooseSubgroupMatrix } from "./choice/subgroup-matrix.js";
import { chooseTile } from "./choice/tile.js";
import type { KernelName } from "./kernel-names.js";
import { decodeRows, decodeThreads } from "./kernels/decode.js";
import { hasMap, programsOf } from "./programs/kernel-programs.js";
import { mapKeys } from "./programs/map-keys.js";
import { takesLists } from "./storages.js";
import { tileRows } from "./wgsl/products.js";

export { type Choice, keysOfTile } from "./choice/choice.js";

/** Wishes of the caller that are not the device's. */
export interface Preferences {
  /** A kernel to use wherever it can compute the problem. */
  readonly kernel?: KernelName | undefined;
  /** Whether a row's bits must not depend on what is computed beside it. */
  readonly batchInvariant?: boolean | undefined;
}

/** Choices that were measured on the device, by the class of problems that {@link lengthClassKey} tells. */
export type MeasuredChoices = ReadonlyMap<string, Measured>;

/**
 * Chooses a kernel and its sizes: those that were measured, if any were that the device and the preferences allow,
 * and otherwise by rule. Pure: the same arguments give the same choice.
 */
export function choose(
  problem: AttentionProblem,
  capabilities: Capabilities,
  preferences: Preferences = {},
  measured: MeasuredChoices | null = null,
): Choice {
  const found = measured && findMeasured(problem, preferences, measured);
  // A rule that was the fastest goes on to choose for other lengths of the class.
  const choice = found && found.gain > 1 ? choiceOf(problem, capabilities, found.settings) : null;
  if (choice !== null) return withMap(problem, { ...choice, measured: found });
  const byRule = chooseKernel(problem, capabilities, preferences);
  return withMap(problem, found?.gain === 1 ? { ...byRule, measured: found } : byRule);
}

/** A tile of the map of a problem with programs has whole tiles of the kernel. */
export function withMap(problem: AttentionProblem, choice: Choice): Choice {
  const programs = programsOf(problem);
  if (programs === null || !hasMap(programs)) return choice;
  const grain = Math.max(mapKeys(choice), choice.short ? decodeThreads : 1, choice.keyGrain);
  return { ...choice, keyGrain: grain };
}

/** Invariant rows have an order of sums of their own, which no measurement may change. */
function findMeasured(
  problem: AttentionProblem,
  { kernel, batchInvariant = false }: Preferences,
  measured: MeasuredChoices,
): Measured | null {
  if (measured.size === 0 || batchInvariant) return null;
  const found = measured.get(lengthClassKey(problem));
  return found && (kernel === undefined || kernel === found.settings.kernel) ? found : null;
}

function chooseKernel(
  problem: AttentionProblem,
  capabilities: Capabilities,
  { kernel: forced, batchInvariant = false }: Preferences,
): Choice {
  if (takesLists(problem, capabilities)) {
    return chooseGathered(problem, capabilities, forced, batchInvariant);
  }
  if (batchInvariant) return chooseInvariant(problem, capabilities);
  const { queryLength } = problem;
  const group = headsPerGroup(problem);
  const stack = queryLength < tileRows ? group : 1;
  const suits = (kernel: KernelName, suited: boolean): boolean =>
    forced === undefined ? suited : forced === kernel;
  const registers =
    (forced === undefined || forced === "quad" || forced === "stream") &&
    fitsRegisters(problem, capabilities);
  if (registers && (forced !== undefined || suitsRegisters(problem, capabilities))) {
    const streams =
      forced === undefined ? group * queryLength <= mostStreamRows : forced === "stream";
    return streams
      ? chooseStream(problem, capabilities, group)
      : chooseQuad(problem, capabilities, stack);
  }
  if (suits("row", suitsRows(problem, stack, capabilities)))
    return chooseRow(problem, capabilities);
  const few = !capabilities.software && group * queryLength <= 2 * decodeRows;
  if (suits("decode", few) && fitsDecode(problem, capabilities)) {
    return chooseDecode(problem, capabilities, group);
  }
  return (
    (suits("subgroup-matrix", true) && chooseSubgroupMatrix(problem, capabilities, stack)) ||
    chooseTile(problem, capabilities, stack)
  );
}

/**
 * A choice that gives a row the same bits whatever other rows, heads and batches there are. Nothing
 * that changes the order of a row's sums may depend on them: neither the kernel nor the tiles, which
 * start at multiples of their size, and keys are not split. How many rows share an invocation or a
 * workgroup may depend on them.
 */
function chooseInvariant(problem: AttentionProblem, capabilities: Capabilities): Choice {
  const { queryLength } = problem;
  const group = headsPerGroup(problem);
  const stack = queryLength < tileRows ? group : 1;
  return withInvariantSums(
    suitsUnrolled(capabilities) && fitsRegisters(problem, capabilities)
      ? chooseQuad(problem, capabilities, stack)
      : chooseTile(problem, capabilities, stack),
  );
}
