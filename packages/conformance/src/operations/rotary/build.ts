import { fromFloat64, type HostTensor, type RotaryInputs, tensor } from "@heed/core";
import { rewriteElements } from "../../calls/elements.js";
import { layOut } from "../../calls/layout.js";
import { Random } from "../../calls/random.js";
import type { RotarySpec } from "./spec.js";

export type RotaryCall = RotaryInputs<HostTensor>;

/** Rows of the tables that are looked up. */
const tableRows = 64;

/** Base of the frequencies: small, so that all pairs turn within a few tokens. */
const theta = 100;

/**
 * The call that a spec describes.
 *
 * @param seed the case's id: the same one always gives the same numbers
 */
export function buildRotary(spec: RotarySpec, seed: string): RotaryCall {
  const { batch = 1, heads = 2, length, headDim = 16, dtype = "float32", layout = "bhld" } = spec;
  const random = new Random(seed);
  let input = layOut(random.tensor([batch, heads, length, headDim], dtype), layout);
  if (spec.notANumber) {
    const last = batch * heads * length * headDim - 2;
    input = rewriteElements([input], (x, at) => (at === last ? Number.NaN : x))[0] as HostTensor;
  }
  const rotaryDim = spec.rotaryDim ?? headDim;
  return {
    input,
    ...(spec.rotaryDim !== undefined && { rotaryDim }),
    ...(spec.interleaved !== undefined && { interleaved: spec.interleaved }),
    ...positionsOf(spec, batch, length),
    ...anglesOf(spec, rotaryDim / 2, batch * length, [batch, length]),
  };
}

function positionsOf(
  { positions = "none", offset = 3 }: RotarySpec,
  batch: number,
  length: number,
): Partial<RotaryCall> {
  switch (positions) {
    case "none":
      return {};
    case "offset":
      return { offset };
    case "offset-per-batch":
      return { offset: Int32Array.from({ length: batch }, (_, b) => 2 + 9 * b) };
    case "shared":
      return { positions: Int32Array.from({ length }, (_, l) => (5 * l + 2) % tableRows) };
    case "per-batch":
      return {
        positions: tensor(
          Int32Array.from({ length: batch * length }, (_, at) => (7 * at + 1) % tableRows),
          [batch, length],
        ),
      };
  }
}

function anglesOf(
  { source = "theta", dtype = "float32" }: RotarySpec,
  half: number,
  tokens: number,
  perToken: readonly number[],
): Partial<RotaryCall> {
  // Neither geometric nor in order: as scalings that mend some of the frequencies leave them.
  const frequencies = Float64Array.from(
    { length: half },
    (_, i) => (i % 3 === 2 ? 0.25 : 1) * theta ** (-i / half),
  );
  if (source === "theta") return { theta };
  if (source === "frequencies") return { inverseFrequencies: frequencies };
  const rows = source === "rows" ? tokens : tableRows;
  const shape = source === "rows" ? [...perToken, half] : [rows, half];
  const table = (f: (angle: number) => number): HostTensor =>
    fromFloat64(
      Float64Array.from({ length: rows * half }, (_, at) =>
        f(Math.floor(at / half) * (frequencies[at % half] as number)),
      ),
      shape,
      source === "own-table" || dtype === "float64" ? dtype : "float32",
    );
  return { cos: table(Math.cos), sin: table(Math.sin) };
}
