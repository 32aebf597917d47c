import type { BenchReport, CaseReport, CaseResult, Environment, Timed } from "./report.js";

/**
 * One report out of those of several environments, such as Node and a browser, so that a table shows
 * them side by side. Contenders of all but the first get their environment's name in front.
 *
 * @param reports at least one; environments that have the same name are taken for different ones
 */
export function mergeEnvironments(reports: readonly BenchReport[]): BenchReport {
  const [first, ...others] = reports as readonly [BenchReport, ...BenchReport[]];
  return others.reduce(addEnvironment, first);
}

/** A contender's name before reports were merged: `wasm` of `firefox/wasm`. */
export function ownName(name: string, { name: environment }: Environment): string {
  const prefix = `${environment}/`;
  return name.startsWith(prefix) ? name.slice(prefix.length) : name;
}

function addEnvironment(report: BenchReport, other: BenchReport): BenchReport {
  const taken = new Set(report.environments.map(({ name }) => name));
  const rename = (name: string): string => {
    let free = name;
    for (let i = 2; taken.has(free); i++) free = `${name}-${i}`;
    return free;
  };
  const names = new Map(other.environments.map(({ name }) => [name, rename(name)]));
  const environmentOf = new Map(other.contenders.map((c) => [c.name, names.get(c.environment)]));
  const contenderName = (name: string) => `${environmentOf.get(name) ?? "other"}/${name}`;
  const renamed = (result: CaseResult): CaseResult => {
    const contender = contenderName(result.contender);
    // Its ratio is to its own environment's first: rounds in different places are no pairs.
    if (result.status === "measured") return { ...withoutRatio(result), contender };
    if (result.status === "wrong" && result.timed) {
      return { ...result, contender, timed: withoutRatio(result.timed) };
    }
    return { ...result, contender };
  };
  const extra = new Map(other.cases.map((c) => [c.id, c]));
  const known = new Set(report.cases.map(({ id }) => id));
  const extended = report.cases.map((c): CaseReport => {
    const same = extra.get(c.id);
    if (!same || same.problem !== c.problem) return c;
    return { ...c, results: [...c.results, ...same.results.map(renamed)] };
  });
  const added = other.cases
    .filter(({ id }) => !known.has(id))
    .map((c) => ({ ...c, results: c.results.map(renamed) }));
  const interrupted = report.interrupted || other.interrupted;
  return {
    ...report,
    environments: [
      ...report.environments,
      ...other.environments.map((e) => ({ ...e, name: names.get(e.name) ?? e.name })),
    ],
    contenders: [
      ...report.contenders,
      ...other.contenders.map((c) => ({
        ...c,
        name: contenderName(c.name),
        environment: names.get(c.environment) ?? c.environment,
      })),
    ],
    cases: [...extended, ...added],
    ...(interrupted && { interrupted }),
  };
}

function withoutRatio<T extends Timed>(timed: T): Omit<T, "ratio"> {
  const { ratio: _, ...kept } = timed;
  return kept;
}
