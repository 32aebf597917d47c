import { costOfKeys, type HeadCounts, pairsOf, type Visit, type Visits } from "./visits.js";

/** Visits that one run of a graph computes, as batch entries with the same numbers of rows and keys. */
export interface VisitGroup {
  readonly visits: readonly Visit[];
  /** Heads of each entry. */
  readonly heads: HeadCounts;
  /** Rows and keys of each entry; those that a visit lacks are made up and hidden. */
  readonly rows: number;
  readonly keys: number;
}

/** How visits may be put into groups. */
export interface VisitRules {
  /** Whether anything but lengths of parts may hide keys, so that a mask is written. */
  readonly isMasked: (visit: Visit) => boolean;
  /** Whether a visit that is a group of its own reads its keys and values in place. */
  readonly isInPlace: (visit: Visit) => boolean;
  /** Pairs of a query and a key that take as long as starting a run. */
  readonly startCost: number;
  /** Keys of a group, of all its key heads, at most, unless a single visit has more. */
  readonly mostKeys: number;
}

/** Share of a group's time that may go into padding beside the time of a start. */
const mostPadding = 0.03;

/** Groups of visits whose padding costs less than a run of their own. Pure. */
export function groupsOf({ list, heads }: Visits, rules: VisitRules): readonly VisitGroup[] {
  const { isMasked, isInPlace, startCost } = rules;
  const isAlone = (visit: Visit): boolean =>
    isInPlace(visit) && costOfKeys(visit.keys, heads) > startCost;
  const others = list.filter((visit) => !isAlone(visit));
  const masked = others.filter(isMasked);
  const whole = others.filter((visit) => !isMasked(visit));
  return [
    ...list.filter(isAlone).map((visit): VisitGroup => {
      const { rows, keys } = visit;
      return { visits: [visit], heads, rows, keys };
    }),
    ...joined(whole, heads, rules),
    ...joined(masked, heads, rules),
  ];
}

function joined(
  list: readonly Visit[],
  heads: HeadCounts,
  { startCost, mostKeys }: VisitRules,
): VisitGroup[] {
  const sorted = [...list].sort((a, b) => b.rows - a.rows || b.keys - a.keys);
  const groups: VisitGroup[] = [];
  let visits: Visit[] = [];
  let [rows, keys, own] = [0, 0, 0];
  const pairs = (r: number, k: number): number => pairsOf(r, k, heads);
  const close = (): void => {
    if (visits.length > 0) groups.push({ visits, heads, rows, keys });
  };
  for (const visit of sorted) {
    const [mostRows, most] = [Math.max(rows, visit.rows), Math.max(keys, visit.keys)];
    const count = visits.length + 1;
    const all = own + pairs(visit.rows, visit.keys);
    const padding = count * pairs(mostRows, most) - all;
    if (
      count > 1 &&
      (padding > startCost + mostPadding * all || count * heads.keys * most > mostKeys)
    ) {
      close();
      visits = [visit];
      [rows, keys, own] = [visit.rows, visit.keys, pairs(visit.rows, visit.keys)];
      continue;
    }
    visits.push(visit);
    [rows, keys, own] = [mostRows, most, all];
  }
  close();
  return groups;
}
