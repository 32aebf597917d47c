import type { ModelGraph } from "../graph/graph.js";
import type { FoundSite } from "../match/form.js";
import { extract, type Piece } from "./extract.js";

/** A model in pieces that run one after another, with the sites that run after each. */
export interface Cut {
  readonly stages: readonly Stage[];
  /** Constants that sites read: computed once. */
  readonly constants: Piece;
  /** Sites of which the graph wants the softmax's result, too. */
  readonly weightsRead: ReadonlySet<FoundSite>;
}

export interface Stage {
  readonly piece: Piece;
  readonly sites: readonly FoundSite[];
}

/**
 * Cuts a graph at its sites: all nodes before a site come in a piece before it.
 *
 * @throws CircleError for a site that reads what it makes
 */
export function cut(graph: ModelGraph, sites: readonly FoundSite[]): Cut {
  const made = new Map<string, FoundSite>();
  for (const site of sites) {
    for (const name of [site.output, ...site.further]) made.set(name, site);
    if (site.weights) made.set(site.weights, site);
  }
  const level = levels(graph, made);
  const needed = live(graph, made, level);
  const weightsRead = new Set(
    sites.filter(({ weights }) => weights !== null && needed.values.has(weights)),
  );
  const ofCall = (value: string): boolean => level(value) !== null;
  const last = Math.max(0, ...[...needed.values].map((value) => level(value) ?? 0));
  const stages = Array.from({ length: last + 1 }, (_, stage): Stage => {
    const crossing = [...needed.crossing].filter(
      (value) => level(value) === stage && !made.has(value) && graph.producer(value) !== undefined,
    );
    // Weights that are outputs of the model come with the first piece.
    const stored = stage === 0 ? graph.outputs.filter((value) => !ofCall(value)) : [];
    return {
      piece: extract(graph, [...crossing, ...new Set(stored)], (value) => {
        const own = level(value);
        return own !== null && (own < stage || made.has(value) || !graph.producer(value));
      }),
      sites: sites.filter((site) => needed.sites.has(site) && siteLevel(site, level) === stage),
    };
  });
  const constants = new Set(sites.flatMap(({ inputs }) => inputs.filter((name) => !ofCall(name))));
  return { stages, weightsRead, constants: extract(graph, [...constants], () => false) };
}

/** The stage in which a value is made; null for what does not depend on the call. */
type Level = (value: string) => number | null;

function siteLevel(site: FoundSite, level: Level): number {
  return Math.max(0, ...site.inputs.map((name) => level(name) ?? 0));
}

/** Depth first, without recursion: graphs are deep. */
function levels(graph: ModelGraph, made: ReadonlyMap<string, FoundSite>): Level {
  const known = new Map<string, number | null>();
  for (const { name } of graph.inputs) known.set(name, 0);
  const level: Level = (value) => known.get(value) ?? null;
  const begin = (value: string): Visit => {
    const site = made.get(value);
    return { value, site, reads: site?.inputs ?? graph.producer(value)?.reads ?? [], next: 0 };
  };
  for (const root of [...graph.outputs, ...made.keys()]) {
    const stack = known.has(root) ? [] : [begin(root)];
    const open = new Set([root]);
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const name = top.reads[top.next++];
      if (name === undefined) {
        known.set(top.value, levelOf(graph, top, level));
        open.delete(top.value);
        stack.pop();
      } else if (open.has(name)) {
        throw new CircleError(stack.filter(({ site }) => site).at(-1)?.site as FoundSite);
      } else if (!known.has(name)) {
        open.add(name);
        stack.push(begin(name));
      }
    }
  }
  return level;
}

interface Visit {
  readonly value: string;
  readonly site: FoundSite | undefined;
  readonly reads: readonly string[];
  next: number;
}

function levelOf(graph: ModelGraph, { value, site, reads }: Visit, level: Level): number | null {
  if (site) return siteLevel(site, level) + 1;
  const own = reads.flatMap((name) => level(name) ?? []);
  // Random numbers are drawn in each call.
  const drawn = /^(Random|Multinomial|Bernoulli)/.test(graph.producer(value)?.operator ?? "");
  return own.length > 0 || drawn ? Math.max(0, ...own) : null;
}

/** A site reads what it makes itself: its weights have a part in its values. */
export class CircleError extends Error {
  readonly site: FoundSite;

  constructor(site: FoundSite) {
    super("a site reads what it makes");
    this.site = site;
  }
}

interface Live {
  readonly sites: ReadonlySet<FoundSite>;
  readonly values: ReadonlySet<string>;
  /** Values that leave the piece that makes them. */
  readonly crossing: ReadonlySet<string>;
}

/** Tensors that the outputs of the model need, when sites make what they make. */
function live(graph: ModelGraph, made: ReadonlyMap<string, FoundSite>, level: Level): Live {
  const sites = new Set<FoundSite>();
  const values = new Set<string>();
  const crossing = new Set<string>(graph.outputs.filter((name) => level(name) !== null));
  const waiting = [...graph.outputs];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (values.has(name)) continue;
    values.add(name);
    const site = made.get(name);
    if (site) {
      if (sites.has(site)) continue;
      sites.add(site);
      for (const input of site.inputs) if (level(input) !== null) crossing.add(input);
      waiting.push(...site.inputs);
      continue;
    }
    const reads = graph.producer(name)?.reads ?? [];
    for (const read of reads) {
      const from = level(read);
      if (from !== null && from !== level(name)) crossing.add(read);
    }
    waiting.push(...reads);
  }
  return { sites, values, crossing };
}
