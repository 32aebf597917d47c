const views = ["explain", "explore", "long"] as const;
const backends = ["auto", "webgpu", "wasm", "js"] as const;
const quantities = ["weights", "scores", "difference"] as const;

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
  /** Tokens of the long text. */
  readonly length: number;
}

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
  length: 4096,
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
    length: lengths.some((known) => known === length) ? length : initial.length,
  };
}

/** The query of an address: what differs from the defaults. */
export function writeState(state: State): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(state)) {
    if (value !== initial[name as keyof State]) params.set(name, String(value));
  }
  const search = params.toString();
  return search && `?${search}`;
}
