import {
  type AttentionInputs,
  type AttentionOutputs,
  describeProblem,
  type HostTensor,
  type PlanDescription,
  type Tiles,
  toFloat64,
} from "@heed/core";
import { isStoredCall } from "../build/stored.js";
import { scaledOutput } from "../mistakes/denominators.js";
import { catalogue, usualTiles } from "../mistakes/index.js";
import { type Mistake, type Semantics, sentenceOf } from "../mistakes/mistake.js";
import { programMistakes } from "../mistakes/programs.js";
import { tiledOutput } from "../mistakes/tiled-softmax.js";
import { Came } from "./came.js";
import { explainStatistics } from "./statistics.js";
import { explainStored, unstored } from "./stored.js";
import { type Candidate, orNull, plainOutput, Trial } from "./trial.js";

type Call = AttentionInputs<HostTensor>;

/** Mistakes that together give what a backend gave. */
export type Explanation = readonly string[];

/** Multiply-adds of a call past which the search takes too long: for single mistakes, and for pairs. */
const most = 4e6;
const mostOfPairs = 5e5;

/** Number of mistakes, each explaining some rows, that are tried in pairs with every other mistake. */
const mostFirsts = 3;

/** Mistakes that have a sentence to explain them and whose effect on `output` can be computed. */
function candidatesFor(tiles: Tiles): readonly Candidate[] {
  return catalogueOf(tiles).flatMap(candidatesOf);
}

/** Every mistake, those with tiles of the usual sizes and of a plan's own. */
function catalogueOf(tiles: Tiles): readonly Mistake[] {
  const sizes: readonly number[] = Object.values(tiles);
  const told = sizes.filter((size) => size > 1);
  return catalogue([...new Set([...usualTiles, ...told])]);
}

function candidatesOf(mistake: Mistake): readonly Candidate[] {
  const name = sentenceOf(mistake);
  const candidate = name === null ? null : candidateOf(name, mistake.semantics);
  return candidate ? [candidate] : [];
}

function candidateOf(name: string, semantics: Semantics): Candidate | null {
  switch (semantics.kind) {
    case "call": {
      const { change } = semantics;
      return { name, change, output: (on, row) => on.changed(name, change, row) };
    }
    case "factors":
      return {
        name,
        change: null,
        output: (on, row) => scaledOutput(semantics.factors, on.callOf(row)),
      };
    case "rows":
      return { name, change: null, output: (on, row) => on.firstRows(semantics.rows, row) };
    case "tiles":
      return {
        name,
        change: null,
        output: (on, row) => tiledOutput(on.logits(row), semantics.tile, semantics.steps),
      };
    default:
      return null;
  }
}

/** Whether a call has programs or a block mask, of which a row cannot be computed apart. */
function hasPrograms({ maskMod, scoreMod, blockMask }: Call): boolean {
  return maskMod !== undefined || scoreMod !== undefined || blockMask !== undefined;
}

/** Multiply-adds of a call with all of its keys. */
function costOf(call: Call): number {
  return call.query.shape.reduce((a, b) => a * b, describeProblem(call).keyLength);
}

/**
 * Mistakes with programs that give what a backend gave; and where none of those does, the others, each made on the
 * whole call, which takes longer than on a row.
 */
function explainPrograms(
  inputs: Call,
  output: HostTensor | undefined,
  { tiles }: Pick<PlanDescription, "tiles">,
): Explanation[] {
  const cost = costOf(inputs);
  if (output === undefined || cost > most) return [];
  const got = toFloat64(output);
  const came = new Came(got, plainOutput(inputs), output.shape);
  if (came.nothingWrong) return [];
  // A block mask may have been made for another call than the changed one: such a mistake cannot be made.
  const gives = ({ change }: Candidate): boolean => {
    const made = orNull(() => {
      const call = change?.(inputs);
      return call ? plainOutput(call) : null;
    });
    return made !== null && came.isAll(made);
  };
  const among = (mistakes: readonly Mistake[]): Explanation[] =>
    mistakes
      .flatMap(candidatesOf)
      .filter(gives)
      .map(({ name }) => [name]);
  const own = among(programMistakes);
  if (own.length > 0 || cost > mostOfPairs) return own;
  return among(catalogueOf(tiles).filter((mistake) => !programMistakes.includes(mistake)));
}

/**
 * Mistakes with how keys are stored, with sequences or positions; and where none of those explains it, the
 * others, made on the same call with its keys in one piece.
 */
function explainStoredCall(
  inputs: Call,
  outputs: AttentionOutputs<HostTensor>,
  description: Pick<PlanDescription, "tiles">,
): Explanation[] {
  const { output } = outputs;
  const got = output && toFloat64(output);
  const expected = plainOutput(inputs);
  if (got?.length !== expected.length) return [];
  const came = new Came(got, expected, output.shape);
  const own = came.nothingWrong ? [] : explainStored(inputs, came);
  if (own.length > 0) return own.map((name) => [name]);
  const plain = unstored(inputs);
  return plain ? explainOutputs(plain, outputs, description) : [];
}

/**
 * Which known mistakes would give what a backend gave: each is made in float64 and compared; and where
 * none alone gives it, two of which one gives some of its rows.
 *
 * @param description of the plan that ran: its tiles' sizes are tried, besides usual ones
 * @returns alternatives; empty where none explains it
 */
export function explainOutputs(
  inputs: Call,
  outputs: AttentionOutputs<HostTensor>,
  { tiles }: Pick<PlanDescription, "tiles">,
): Explanation[] {
  const { output } = outputs;
  if (hasPrograms(inputs)) return explainPrograms(inputs, output, { tiles });
  if (isStoredCall(inputs)) return explainStoredCall(inputs, outputs, { tiles });
  const cost = costOf(inputs);
  if (output === undefined || cost > most) return [];
  const got = toFloat64(output);
  const expected = plainOutput(inputs);
  if (got.length !== expected.length) return [];
  const came = new Came(got, expected, output.shape);
  if (came.nothingWrong) return explainStatistics(inputs, outputs).map((name) => [name]);

  const candidates = candidatesFor(tiles);
  const own = new Trial(inputs);
  const tried = candidates.map((candidate) => ({
    candidate,
    explained: came.samples.filter((row) => came.isRow(row, own.make(candidate, row))),
  }));
  const alone = tried
    .filter(({ explained }) => explained.length === came.samples.length)
    .filter(({ candidate }) => came.is(own, candidate))
    .map(({ candidate }) => [candidate.name]);
  if (alone.length > 0 || cost > mostOfPairs) return alone;
  const firsts = tried
    .filter(({ explained }) => explained.length > 0)
    .sort((one, other) => other.explained.length - one.explained.length)
    .slice(0, mostFirsts)
    .map(({ candidate }) => candidate);
  const pairs = firsts.flatMap((first) => {
    const others = candidates.filter(({ name }) => name !== first.name);
    // One mistake of the pair changes the call, and the other is applied to the changed call.
    if (first.change) {
      const on = own.on(first);
      return on
        ? others.filter((other) => came.is(on, other)).map(({ name }) => [first.name, name])
        : [];
    }
    return others
      .filter((other) => {
        const on = own.on(other);
        return on !== null && came.is(on, first);
      })
      .map(({ name }) => [name, first.name]);
  });
  return [...new Map(pairs.map((pair) => [[...pair].sort().join(), pair])).values()];
}
