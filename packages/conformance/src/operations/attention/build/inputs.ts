import {
  type AttentionInputs,
  type FloatDType,
  type HostTensor,
  slice,
  splitHeads,
} from "@heed/core";
import { rewriteElements } from "../../../calls/elements.js";
import { layOut, strided } from "../../../calls/layout.js";
import { Random } from "../../../calls/random.js";
import { type Arithmetic, ieee754 } from "../../../judge/arithmetic.js";
import type { ConformanceCase } from "../../../run/case.js";
import { features } from "../features/index.js";
import type { CaseSpec, NotFinite, Poison } from "../spec.js";
import { poisonHidden } from "./hidden.js";
import { buildBias, buildMask } from "./masks.js";
import { maskOfTree, scoreOfTree } from "./program-trees.js";
import { buildBlockMask, maskPrograms, scorePrograms } from "./programs.js";
import { isStored, storeCall } from "./stored.js";
import { poisonUnseen } from "./unseen.js";
import { shapeValues } from "./values.js";

/**
 * The call that a spec describes.
 *
 * @param seed the case's id: the same one always gives the same numbers
 * @param arithmetic decides what may poison keys that nothing may look at. Default IEEE 754
 */
export function buildInputs(
  spec: CaseSpec,
  seed: string,
  arithmetic: Arithmetic = ieee754,
): AttentionInputs<HostTensor> {
  const made = withPrograms(buildPlain(spec, seed, arithmetic), spec, seed);
  if (!spec.poison || isStored(spec) || !(spec.maskMod || spec.blockMask)) return made;
  return poisonHidden(made, poisonFor(spec.poison, arithmetic), true);
}

/**
 * The call with its programs and block mask, whose numbers follow from a seed of their own.
 *
 * @param inputs as stored
 */
function withPrograms(
  inputs: AttentionInputs<HostTensor>,
  { maskMod, scoreMod, blockMask, ...spec }: CaseSpec,
  seed: string,
): AttentionInputs<HostTensor> {
  if (maskMod === undefined && scoreMod === undefined && blockMask === undefined) return inputs;
  const random = new Random(`${seed} programs`);
  const { batch = 1, queryHeads: heads = 2, queryLength, keyLength = queryLength } = spec;
  const sizes = { batch, heads, queryLength, keyLength };
  const made: AttentionInputs<HostTensor> = {
    ...inputs,
    ...(maskMod !== undefined && {
      maskMod:
        typeof maskMod === "object" ? maskOfTree(maskMod) : maskPrograms[maskMod]?.(sizes, random),
    }),
    ...(scoreMod !== undefined && {
      scoreMod:
        typeof scoreMod === "object"
          ? scoreOfTree(scoreMod)
          : scorePrograms[scoreMod]?.(sizes, random),
    }),
  };
  return blockMask === undefined
    ? made
    : { ...made, blockMask: buildBlockMask(blockMask, made, sizes, random) };
}

/** The call without programs. */
function buildPlain(
  spec: CaseSpec,
  seed: string,
  arithmetic: Arithmetic,
): AttentionInputs<HostTensor> {
  const random = new Random(seed);
  const dtype = spec.dtype ?? "float32";
  const stored = isStored(spec);
  // Other storage (pages, int8, lists) is laid out last.
  const plain = stored ? { ...spec, layout: "bhld" as const } : spec;
  const { query, key, value } = buildTensors(plain, dtype, random);
  const queryHeads = query.shape[1] as number;
  const inputs: AttentionInputs<HostTensor> = {
    query,
    key,
    value,
    mask: spec.mask && strided(buildMask(spec.mask, random), spec.stridedMask),
    bias: spec.bias && strided(buildBias(spec.bias, dtype, random), spec.stridedMask),
    ...asTheyAre(spec),
    queryOffset: typeof spec.queryOffset === "object" ? [...spec.queryOffset] : spec.queryOffset,
    kvLengths: spec.kvLengths && Int32Array.from(spec.kvLengths),
    alibiSlopes: spec.alibi ? alibiSlopes(queryHeads) : undefined,
    sinks:
      spec.sinks === true
        ? Float32Array.from(random.normals(queryHeads))
        : spec.sinks && [...spec.sinks],
  };
  const seen = spec.notFinite ? withNotFinite(inputs, spec.notFinite) : inputs;
  if (stored) {
    const made = storeCall(seen, spec, random);
    return spec.poison ? poisonUnseen(made, poisonFor(spec.poison, arithmetic)) : made;
  }
  if (!spec.poison) return seen;
  return poisonHidden(seen, poisonFor(spec.poison, arithmetic), spec.poisonAnyRule);
}

/**
 * The call that a case makes.
 *
 * @param arithmetic of the device that is to compute it. Default IEEE 754's
 */
export function caseInputs(
  c: Pick<ConformanceCase, "id" | "spec">,
  arithmetic?: Arithmetic,
): AttentionInputs<HostTensor> {
  return buildInputs(c.spec, c.id, arithmetic);
}

/** Fields that are arguments of a call as they stand in the spec. */
function asTheyAre({ returns, ...spec }: CaseSpec): Partial<AttentionInputs<HostTensor>> {
  const plain = features.filter(({ isArgument }) => isArgument).map(({ field }) => field);
  return { ...Object.fromEntries(plain.map((field) => [field, spec[field]])), returns };
}

/**
 * The call with one number that is not finite: in the last query row of the first head, in the key or
 * value in the middle of the first head, or in the bias of the first row. Such numbers are given to every
 * device: one that does without NaN may make of the rows that see them what it likes.
 */
function withNotFinite(
  inputs: AttentionInputs<HostTensor>,
  { in: name, value }: NotFinite,
): AttentionInputs<HostTensor> {
  const t = inputs[name];
  if (t === undefined) return inputs;
  const [rows, columns] = t.shape.slice(-2) as [number, number];
  const row = name === "query" ? rows - 1 : name === "bias" ? 0 : Math.floor(rows / 2);
  const place = row * columns + Math.floor(columns / 2);
  const [changed] = rewriteElements([t], (old, at) => (at === place ? Number(value) : old));
  return { ...inputs, [name]: changed };
}

/** The poison for a device's arithmetic: the largest numbers if it lacks NaN and ±∞. */
function poisonFor(poison: Poison, { nonFinite }: Arithmetic): Poison {
  return nonFinite ? poison : "large";
}

/** 2^(−8(h+1)/heads), as in the paper (arXiv:2108.12409). */
function alibiSlopes(heads: number): Float32Array {
  return Float32Array.from({ length: heads }, (_, h) => 2 ** ((-8 * (h + 1)) / heads));
}

function buildTensors(
  spec: CaseSpec,
  dtype: FloatDType,
  random: Random,
): { query: HostTensor; key: HostTensor; value: HostTensor } {
  const { batch = 1, queryHeads = 2, queryLength, headDim = 16 } = spec;
  const { kvHeads = queryHeads, keyLength = queryLength, valueDim = headDim } = spec;
  if (spec.layout === "packed") {
    const width = (queryHeads + 2 * kvHeads) * headDim;
    const packed = random.tensor([batch, queryLength, width], dtype);
    const part = (from: number, heads: number): HostTensor =>
      splitHeads(slice(packed, 2, from * headDim, (from + heads) * headDim), heads);
    return {
      query: part(0, queryHeads),
      key: part(queryHeads, kvHeads),
      value: part(queryHeads + kvHeads, kvHeads),
    };
  }
  const lay = (t: HostTensor): HostTensor => layOut(t, spec.layout ?? "bhld");
  const query = random.tensor([batch, queryHeads, queryLength, headDim], dtype);
  const key = random.tensor([batch, kvHeads, keyLength, headDim], dtype);
  const value = random.tensor([batch, kvHeads, keyLength, valueDim], dtype);
  shapeValues(spec.values ?? "normal", dtype, query, key, value);
  const laidKey = lay(key);
  return { query: lay(query), key: laidKey, value: spec.sharedKeyValue ? laidKey : lay(value) };
}
