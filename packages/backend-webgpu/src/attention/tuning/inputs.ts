import {
  type AttentionInputs,
  type AttentionProblem,
  attention,
  type BoundAttention,
  type DeviceTensor,
  type DType,
  elementCount,
  fromFloat64,
  type HostTensor,
  InvalidInputError,
  type OperandSpec,
  zeros,
} from "@heed/core";

/** Elements that repeat: a prime, so that no two rows of a tensor have the same. */
const period = 65_521;

/** Largest magnitude of a query's element: weights are then uneven, so that a key that is left out shows. */
const queryMagnitude = 4;

/**
 * A call of a problem to measure on. Its large tensors hold numbers of its own, whatever those of the caller hold:
 * zeros, as callers use them to warm up, would hide every mistake of a kernel. Lengths, positions, pages and programs
 * are the caller's, and where there is no call, every key is used.
 *
 * @param given the caller's call; null for a problem without one
 * @param upload copies a tensor to the device
 * @returns a bound call on the device, whose tensors the caller disposes
 * @throws InvalidInputError for a problem whose lists or programs are data, without a call
 */
export async function trialCall(
  problem: AttentionProblem,
  given: AttentionInputs | null,
  upload: (t: HostTensor) => Promise<DeviceTensor>,
): Promise<{ readonly bound: BoundAttention<DeviceTensor>; readonly tensors: DeviceTensor[] }> {
  const usual = given ?? usualInputs(problem);
  const tensors: DeviceTensor[] = [];
  const own: Record<string, DeviceTensor> = {};
  try {
    for (const spec of attention.operands(problem)) {
      if (spec.access !== "read") continue;
      const t = await upload(numbersFor(spec, tensors.length));
      tensors.push(t);
      own[spec.name] = t;
    }
    const bound = attention.bind(problem, { ...usual, ...own } as AttentionInputs);
    return { bound: bound as BoundAttention<DeviceTensor>, tensors };
  } catch (error) {
    for (const t of tensors) t.dispose();
    throw error;
  }
}

/** The data of a call beside its tensors, for a problem that needs no lists and no programs. */
function usualInputs(problem: AttentionProblem): Partial<AttentionInputs> {
  const { pages, ragged, positions, maskMod, scoreMod, blockMask } = problem;
  if (pages || ragged || positions === "data" || maskMod || scoreMod || blockMask) {
    throw new InvalidInputError(
      "subject",
      "a call, where pages, ragged batches, positions or programs are data of it",
      "a problem",
    );
  }
  const { batch, queryHeads, queryLength, keyLength } = problem;
  const offset = keyLength - queryLength;
  return {
    ...(positions === "fixed" && { queryOffset: offset }),
    ...(positions === "bottom-right" && { queryOffset: "bottom-right" }),
    ...(positions === "per-batch" && { queryOffset: new Array<number>(batch).fill(offset) }),
    ...(problem.kvLengths && { kvLengths: new Array<number>(batch).fill(keyLength) }),
    ...(problem.alibi && { alibiSlopes: new Array<number>(queryHeads).fill(0.01) }),
    ...(problem.sinks && { sinks: new Array<number>(queryHeads).fill(0) }),
  };
}

/** @param seed makes tensors of one shape differ */
function numbersFor({ name, shape, dtype }: OperandSpec, seed: number): HostTensor {
  const made = zeros(dtype, shape);
  const block = blockOf(name, dtype, seed + 1, Math.min(period, elementCount(shape)));
  const data = made.data as { set(from: ArrayLike<number>, at: number): void; length: number };
  for (let at = 0; at < data.length; at += block.length) {
    const left = data.length - at;
    data.set((left < block.length ? block.subarray(0, left) : block) as ArrayLike<number>, at);
  }
  return made;
}

interface Block extends ArrayLike<number> {
  subarray(from: number, to: number): ArrayLike<number>;
}

function blockOf(name: string, dtype: DType, seed: number, length: number): Block {
  const numbers = Float64Array.from({ length }, uniform(seed));
  const scaled = numbers.map((x) => {
    if (dtype === "bool") return x < 0.75 ? 1 : 0;
    if (dtype === "int8") return Math.round(127 * x);
    if (name === "query") return queryMagnitude * x;
    // A scale is positive: keys of int8 are then as large as others.
    return name.endsWith("Scales") ? (1.5 + x) / 127 : x;
  });
  return fromFloat64(scaled, [length], dtype).data as unknown as Block;
}

/** Numbers from −1 to 1 that look random: mulberry32. */
function uniform(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b9);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}
