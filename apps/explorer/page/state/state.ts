const views = ["explain", "explore", "long", "model", "masks"] as const;
const backends = ["auto", "webgpu", "wasm", "js"] as const;
const quantities = ["weights", "scores", "difference", "heads"] as const;

export type View = (typeof views)[number];
export type BackendName = (typeof backends)[number];
export type Quantity = (typeof quantities)[number];

/** Everything that the address says. */
export interface State {
  readonly view: View;
  readonly text: string;
  readonly layer: number;
  readonly head: number;
  /** Number of the query's token. */
  readonly token: number;
  readonly step: number;
  readonly backend: BackendName;
  /** Backend that the map of differences compares with. */
  readonly other: BackendName;
  readonly causal: boolean;
  readonly show: Quantity;
  /** Layer and head that the map of heads compares with. */
  readonly otherLayer: number;
  readonly otherHead: number;
  /** A sentence to compare with; empty for none. */
  readonly second: string;
  /** Tokens of the long text. */
  readonly length: number;
  /** Address of an ONNX model; empty for none. */
  readonly model: string;
  /** Address of a file of `numpy.savez` with its feeds; empty for random ones. */
  readonly feeds: string;
  /** Sizes of random feeds. */
  readonly sizes: string;
  /** Text of the picture that a model of pictures is fed. */
  readonly words: string;
  /** Number of the site in the model, and of its head. */
  readonly site: number;
  readonly siteHead: number;
  /** Number of the query whose patches are shown. */
  readonly query: number;
  /** Rows of patches in the picture; 0 lets the page find them. */
  readonly grid: number;
  /** Name of the mask that is pictured. */
  readonly mask: string;
  /** Queries, and keys, of a tile of it. */
  readonly tile: number;
  /** Name of the score program that is pictured, and number of its head. */
  readonly scores: string;
  readonly scoreHead: number;
}

export const tiles = [16, 32, 64, 128] as const;

export const lengths = [1024, 4096, 16384] as const;
export const steps = 6;

export const initial: State = {
  view: "explain",
  text: "The robot picked up the wrench because it was heavy",
  layer: 0,
  head: 0,
  token: 9,
  step: 1,
  backend: "auto",
  other: "js",
  causal: false,
  show: "weights",
  otherLayer: 0,
  otherHead: 1,
  second: "",
  length: 4096,
  model: "",
  feeds: "",
  sizes: "batch=1,length=32",
  words: "HEED 2026",
  site: 0,
  siteHead: 0,
  query: 0,
  grid: 0,
  mask: "causal",
  tile: 64,
  scores: "alibi",
  scoreHead: 1,
};

/** Reads the address. A value that makes no sense is the default one. */
export function readState(search: string): State {
  const params = new URLSearchParams(search);
  const one = <T extends string>(name: keyof State, among: readonly T[]): T => {
    const value = params.get(name) as T;
    return among.includes(value) ? value : (initial[name] as T);
  };
  const integer = (name: keyof State, least: number, most: number): number => {
    const text = params.get(name);
    const value = Number(text);
    const fits = text !== null && Number.isInteger(value) && value >= least && value <= most;
    return fits ? value : (initial[name] as number);
  };
  const length = integer("length", 1, 1 << 20);
  const tile = integer("tile", 1, 1 << 10);
  const words = (name: keyof State): string => params.get(name)?.slice(0, 1000) ?? "";
  return {
    view: one("view", views),
    text: params.get("text")?.slice(0, 1000) || initial.text,
    layer: integer("layer", 0, 1),
    head: integer("head", 0, 3),
    token: integer("token", 0, 1 << 20),
    step: integer("step", 1, steps),
    backend: one("backend", backends),
    other: one("other", backends.slice(1)),
    causal: params.get("causal") === "true",
    show: one("show", quantities),
    otherLayer: integer("otherLayer", 0, 1),
    otherHead: integer("otherHead", 0, 3),
    second: words("second"),
    length: lengths.some((known) => known === length) ? length : initial.length,
    model: words("model"),
    feeds: words("feeds"),
    sizes: words("sizes") || initial.sizes,
    words: words("words") || initial.words,
    site: integer("site", 0, 1 << 20),
    siteHead: integer("siteHead", 0, 1 << 20),
    query: integer("query", 0, 1 << 20),
    grid: integer("grid", 0, 1 << 20),
    mask: words("mask") || initial.mask,
    tile: tiles.some((known) => known === tile) ? tile : initial.tile,
    scores: words("scores") || initial.scores,
    scoreHead: integer("scoreHead", 0, 7),
  };
}

/** The query of an address: what differs from the defaults. Files that were opened have no address that lasts. */
export function writeState(state: State): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(state)) {
    const lasts = !String(value).startsWith("blob:");
    if (lasts && value !== initial[name as keyof State]) params.set(name, String(value));
  }
  const search = params.toString();
  return search && `?${search}`;
}
