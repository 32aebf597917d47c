import type { ContenderReport } from "../../src/report/report.js";

/** How a contender looks in every plot: never by colour alone. */
export interface Look {
  readonly color: string;
  readonly symbol: (typeof symbols)[number];
}

const symbols = [
  "circle",
  "square",
  "triangle",
  "diamond",
  "star",
  "cross",
  "wye",
  "hexagon",
  "plus",
  "times",
] as const;

/** Colours that the style sheet defines, for light and dark. */
const colors = 20;

/**
 * Gives each contender a look. The same one in another environment has the same colour, and another
 * symbol.
 *
 * @param contenders every one of the report, so that hiding one leaves the others as they are
 */
export function looksOf(
  contenders: readonly Pick<ContenderReport, "name" | "environment">[],
): ReadonlyMap<string, Look> {
  const plain = contenders.map(({ name, environment }) =>
    name.startsWith(`${environment}/`) ? name.slice(environment.length + 1) : name,
  );
  const kinds = [...new Set(plain)];
  return new Map(
    contenders.map(({ name }, i) => [
      name,
      {
        color: `var(--series-${kinds.indexOf(plain[i] as string) % colors})`,
        // Past the last colour, the same ones come back with other symbols.
        symbol: symbols[(i + Math.floor(i / colors)) % symbols.length] as Look["symbol"],
      },
    ]),
  );
}

/** Scales that draw contenders with their looks. */
export function lookScales(looks: ReadonlyMap<string, Look>): {
  color: { domain: string[]; range: string[] };
  symbol: { domain: string[]; range: Look["symbol"][] };
} {
  const domain = [...looks.keys()];
  const all = [...looks.values()];
  return {
    color: { domain, range: all.map(({ color }) => color) },
    symbol: { domain, range: all.map(({ symbol }) => symbol) },
  };
}

export type Drawing = SVGSVGElement | HTMLElement;

/** The drawing parameters that every plot takes. */
export interface Canvas {
  /** In CSS pixels. */
  readonly width: number;
  readonly looks: ReadonlyMap<string, Look>;
  /** Whether a contender is drawn. */
  readonly shown: (contender: string) => boolean;
}
