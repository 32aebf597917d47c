import {
  type AttentionProblem,
  type BoundPositions,
  type KeyRange,
  Sequence,
  visibleBand,
} from "@heed/core";
import type { Entry } from "../bounds.js";

/** Sequences that one run of a graph computes, each with the same numbers of rows and keys. */
export interface Group {
  /** The sequences to compute, as batch entries of the graph, in its order. */
  readonly entries: readonly Entry[];
  /** Their numbers among the problem's sequences, ascending. */
  readonly sequences: readonly number[];
  /** `[entries]`: the keys that each entry's rows see any of, counted within its sequence. */
  readonly sights: readonly KeyRange[];
  /** Query rows of each entry: where a sequence has fewer, its last row is repeated. */
  readonly rows: number;
  /** Keys of each entry, from its start on: those that do not exist are hidden. */
  readonly keys: number;
}

/** How sequences may be put into groups. */
export interface GroupRules {
  /** Keys are read in place, so that entries lie side by side and start at the same key. */
  readonly inPlace: boolean;
  /** Multiply-adds that take as long as starting a run. */
  readonly startCost: number;
  /** Elements of the logits of a group, at most, unless a single sequence has more. */
  readonly mostLogits: number;
  /** Groups, at most. */
  readonly most: number;
  /** Each sequence is a group of its own. */
  readonly apart: boolean;
}

/** A sequence with queries, and the keys that its rows see. */
interface Member {
  readonly number: number;
  readonly sequence: Sequence;
  readonly rows: number;
  readonly sight: KeyRange;
}

/**
 * The groups of a call: sequences whose padding costs less than a run of their own. Sequences without queries are
 * in none. Pure.
 */
export function groupsOf(
  problem: AttentionProblem,
  positions: BoundPositions,
  rules: GroupRules,
): readonly Group[] {
  const members = membersOf(problem, positions);
  if (wantsAllKeys(problem)) return members.length === 0 ? [] : [groupOf(problem, members, rules)];
  // Neighbours in the order of rows and keys differ least.
  if (!rules.inPlace) {
    members.sort((a, b) => b.rows - a.rows || span(b.sight) - span(a.sight));
  }
  let { startCost } = rules;
  for (;;) {
    const groups = joined(problem, members, { ...rules, startCost });
    if (rules.apart || groups.length <= rules.most) return groups;
    startCost *= 4;
    if (!Number.isFinite(startCost)) return groups;
  }
}

/** Whether outputs have a column for each key, so that no key may be left out. */
export function wantsAllKeys({ returns }: AttentionProblem): boolean {
  return returns.weights || returns.scores !== null;
}

function membersOf(problem: AttentionProblem, positions: BoundPositions): Member[] {
  const band = visibleBand(problem);
  const members: Member[] = [];
  for (let number = 0; number < problem.sequences; number++) {
    const sequence = new Sequence(problem, positions, number);
    const rows = sequence.queryLength;
    if (rows === 0) continue;
    const { first, last } = sequence.positionsOf(0, rows);
    const sight = wantsAllKeys(problem)
      ? { start: 0, end: problem.keyLength }
      : sequence.keysInSight(band, first, last);
    members.push({ number, sequence, rows, sight });
  }
  return members;
}

function joined(problem: AttentionProblem, members: readonly Member[], rules: GroupRules): Group[] {
  const groups: Group[] = [];
  let current: Member[] = [];
  let cost = 0;
  for (const member of members) {
    const alone = costOf(problem, [member], rules);
    const together = costOf(problem, [...current, member], rules);
    if (current.length > 0 && (rules.apart || together > cost + alone)) {
      groups.push(groupOf(problem, current, rules));
      current = [member];
      cost = alone;
    } else {
      current.push(member);
      cost = together;
    }
  }
  if (current.length > 0) groups.push(groupOf(problem, current, rules));
  return groups;
}

/** Multiply-adds of a group, and what its keys and its start cost beside. */
function costOf(problem: AttentionProblem, members: readonly Member[], rules: GroupRules): number {
  const { queryHeads, kvHeads, headDim, valueDim } = problem;
  const { rows, keys } = extent(problem, members, rules);
  const count = members.length;
  if (count > 1 && count * queryHeads * rows * keys > rules.mostLogits) return Infinity;
  // A key is gathered, converted and read: as long as some dozen rows take with it.
  const pairs = count * keys * (queryHeads * rows + 12 * kvHeads);
  return rules.startCost + pairs * (headDim + valueDim);
}

function groupOf(problem: AttentionProblem, given: readonly Member[], rules: GroupRules): Group {
  const members = [...given].sort((a, b) => a.number - b.number);
  const { rows, keys, startOf } = extent(problem, members, rules);
  return {
    entries: members.map((member) => ({ sequence: member.sequence, start: startOf(member) })),
    sequences: members.map(({ number }) => number),
    sights: members.map(({ sight }) => sight),
    rows,
    keys,
  };
}

interface Extent {
  readonly rows: number;
  readonly keys: number;
  readonly startOf: (member: Member) => number;
}

/** Rows and keys that entries have if they are all to have as many. */
function extent(
  problem: AttentionProblem,
  members: readonly Member[],
  { inPlace }: GroupRules,
): Extent {
  const { pages, ragged, keyLength } = problem;
  const rows = Math.max(...members.map((member) => member.rows));
  const unit = pages ? pages.size : 1;
  const down = (key: number): number => Math.floor(key / unit) * unit;
  // Masks, biases and blocks of keys go by one range for all.
  const { mask, bias, blockMask } = problem;
  const common =
    inPlace || (mask?.shape[3] ?? 1) > 1 || (bias?.shape[3] ?? 1) > 1 || blockMask !== null;
  const seeing = members.filter(({ sight }) => span(sight) > 0);
  const least = Math.min(...seeing.map(({ sight }) => down(sight.start)));
  const startOf = ({ sight }: Member): number => {
    if (common) return seeing.length > 0 ? least : 0;
    return span(sight) > 0 ? down(sight.start) : 0;
  };
  let keys = 1;
  for (const member of seeing) keys = Math.max(keys, member.sight.end - startOf(member));
  if (ragged?.keys) return { rows, keys, startOf };
  const within = common && seeing.length > 0 ? keyLength - least : keyLength;
  return { rows, keys: Math.min(within, Math.ceil(bucket(keys) / unit) * unit), startOf };
}

/**
 * A number of keys rounded up, by 64 or a sixteenth at most: onnxruntime keeps a plan of its memory for every
 * length that it meets, and a decode loop has another at each step.
 */
export function bucket(keys: number): number {
  const unit = Math.max(64, 2 ** (Math.floor(Math.log2(keys)) - 4));
  return Math.ceil(keys / unit) * unit;
}

function span({ start, end }: KeyRange): number {
  return Math.max(0, end - start);
}
