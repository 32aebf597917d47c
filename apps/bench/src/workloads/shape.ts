import { InvalidInputError } from "@heed/core";

/** Sizes of a workload whose data are generated. */
export interface WorkloadSizes {
  readonly batch: number;
  readonly queryHeads: number;
  readonly kvHeads: number;
  readonly queryLength: number;
  readonly keyLength: number;
  readonly headDim: number;
  readonly valueDim: number;
}

/** Rules that such a workload's call has. */
export interface WorkloadRules {
  readonly causal?: boolean;
  /** Both ends inclusive, as in a call. */
  readonly window?: { readonly left?: number; readonly right?: number };
  readonly softcap?: number;
  /** A bias a head, `[1, queryHeads, queryLength, keyLength]`, such as relative positions. */
  readonly bias?: boolean;
  /** A sink a head. */
  readonly sinks?: boolean;
}

/** Sizes and rules of a workload whose data are generated. */
export interface WorkloadShape extends WorkloadSizes, WorkloadRules {}

const form = "such as B1,Hq32,Hkv8,Lq1,Lk4096,D128,causal";

/** `B1,Hq32,Hkv8,Lq1,Lk4096,D64,Dv64`: each name with what it sets. Case does not matter. */
const sizeNames: Readonly<Record<string, readonly (keyof WorkloadSizes)[]>> = {
  b: ["batch"],
  h: ["queryHeads", "kvHeads"],
  hq: ["queryHeads"],
  hkv: ["kvHeads"],
  l: ["queryLength", "keyLength"],
  lq: ["queryLength"],
  lk: ["keyLength"],
  d: ["headDim", "valueDim"],
  dv: ["valueDim"],
};

const sizeNamesShown = "B, H, Hq, Hkv, L, Lq, Lk, D, Dv";

/**
 * Reads a shape as written on a command line. `H`, `L` and `D` stand for both sides at once and may
 * be overridden by `Hkv`, `Lk` and `Dv`; `B` defaults to 1. Rules: `causal`, `window256` (256 keys
 * up to and including the query's own), `softcap50`, `bias` (one a head) and `sinks`.
 *
 * @throws InvalidInputError naming `--shape` and the part at fault
 */
export function parseShape(text: string): WorkloadShape {
  const sizes = new Map<string, number>();
  const rules: { -readonly [Name in keyof WorkloadRules]: WorkloadRules[Name] } = {};
  for (const part of text.split(",").map((raw) => raw.trim())) {
    const match = /^([a-z]+)(\d+(?:\.\d+)?)?$/i.exec(part);
    const name = match?.[1]?.toLowerCase() ?? "";
    const number = match?.[2] === undefined ? null : Number(match[2]);
    if ((name === "causal" || name === "bias" || name === "sinks") && number === null) {
      rules[name] = true;
    } else if (name === "window" && number !== null) {
      rules.window = { left: positive(part, number) - 1, right: 0 };
    } else if (name === "softcap" && number !== null && number > 0) {
      rules.softcap = number;
    } else if (Object.hasOwn(sizeNames, name) && number !== null) {
      if (sizes.has(name)) throw wrong("each name once", part);
      sizes.set(name, positive(part, number));
    } else {
      throw wrong(
        `${sizeNamesShown}, window or softcap with a number, or causal, bias or sinks without`,
        part,
      );
    }
  }
  return { ...readSizes(sizes, text), ...rules };
}

function readSizes(given: ReadonlyMap<string, number>, text: string): WorkloadSizes {
  const read = (...names: readonly string[]): number => {
    for (const name of names) {
      const size = given.get(name);
      if (size !== undefined) return size;
    }
    throw wrong(`${names.map((name) => shown(name)).join(" or ")}, ${form}`, text);
  };
  const sizes = {
    batch: given.get("b") ?? 1,
    queryHeads: read("hq", "h"),
    kvHeads: read("hkv", "h", "hq"),
    queryLength: read("lq", "l"),
    keyLength: read("lk", "l", "lq"),
    headDim: read("d"),
    valueDim: read("dv", "d"),
  };
  if (sizes.queryHeads % sizes.kvHeads !== 0) {
    throw wrong("Hq to be a multiple of Hkv", `Hq${sizes.queryHeads},Hkv${sizes.kvHeads}`);
  }
  return sizes;
}

/** A shape in the form that {@link parseShape} reads; names a workload that has no other name. */
export function formatShape(shape: WorkloadShape): string {
  const parts = [`B${shape.batch}`];
  if (shape.kvHeads === shape.queryHeads) parts.push(`H${shape.queryHeads}`);
  else parts.push(`Hq${shape.queryHeads}`, `Hkv${shape.kvHeads}`);
  if (shape.keyLength === shape.queryLength) parts.push(`L${shape.queryLength}`);
  else parts.push(`Lq${shape.queryLength}`, `Lk${shape.keyLength}`);
  parts.push(`D${shape.headDim}`);
  if (shape.valueDim !== shape.headDim) parts.push(`Dv${shape.valueDim}`);
  if (shape.causal) parts.push("causal");
  if (shape.window) parts.push(`window${(shape.window.left ?? 0) + 1}`);
  if (shape.softcap !== undefined) parts.push(`softcap${shape.softcap}`);
  if (shape.bias) parts.push("bias");
  if (shape.sinks) parts.push("sinks");
  return parts.join(",");
}

function shown(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

function positive(part: string, number: number): number {
  if (!Number.isInteger(number) || number < 1) throw wrong("integers ≥ 1", part);
  return number;
}

function wrong(expected: string, actual: string): InvalidInputError {
  return new InvalidInputError("--shape", expected, actual === "" ? "nothing" : actual);
}
