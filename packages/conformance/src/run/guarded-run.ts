import {
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionPlan,
  type AttentionProblem,
  type HostTensor,
  holdsBits,
  isDeviceTensor,
  numberToFloat16Bits,
  type TypedArray,
} from "@heed/core";
import { differing, outputBits, sameBits, toHost } from "../calls/bits.js";
import { embedArrays } from "../calls/elements.js";
import type { Arithmetic } from "../judge/arithmetic.js";

type Call = AttentionInputs<HostTensor>;

/** Elements before and after an array that is embedded: more than any vector or tile loads at once. */
const zone = 64;

/** A run's outputs, and the rules it broke apart from its numbers. */
export interface GuardedRun {
  readonly outputs: AttentionOutputs<HostTensor>;
  /** Each as a sentence. */
  readonly violations: readonly string[];
}

/**
 * Runs a call twice, then the same problem with nothing but poison in its tensors, then the call once
 * more with its inputs elsewhere in memory. What must hold: inputs, and what lies around them, stay
 * as they were; outputs belong to the caller, so that no later run changes them and no memory is
 * shared; the same call gives the same bits.
 *
 * @param problem the call's
 */
export async function guardedRun(
  plan: AttentionPlan,
  problem: AttentionProblem,
  inputs: Call,
  arithmetic: Arithmetic,
): Promise<GuardedRun> {
  const violations: string[] = [];
  const watched = watchInputs(inputs);
  const given = await plan.run(inputs);
  for (const [name, t] of Object.entries(given)) {
    if (t && isDeviceTensor(t)) violations.push(`${name} is a device tensor, of host inputs`);
  }
  const first = await toHost(given);
  const bits = outputBits(first);
  const kept = copyOutputs(first);
  if (!watched()) violations.push("the inputs were changed");
  violations.push(...sharedMemory(first, inputs));

  for (const name of differing(bits, outputBits(await toHost(await plan.run(inputs))))) {
    violations.push(`${name} has other bits in a second run of the same inputs`);
  }
  await plan.run(poisonAll(inputs, problem, arithmetic));
  for (const name of differing(bits, outputBits(first))) {
    violations.push(`${name}, which the caller owns, was changed by a later run`);
  }

  // The caller may overwrite its outputs: later runs must not depend on them.
  for (const t of Object.values(first)) t.data.fill(1);
  const fill = arithmetic.nonFinite ? Number.NaN : 1e30;
  const elsewhere = embedArrays(inputs, zone, fill);
  const watchedElsewhere = watchInputs(elsewhere);
  const last = await toHost(await plan.run(elsewhere));
  for (const name of differing(bits, outputBits(last))) {
    violations.push(
      `${name} has other bits in a run after one on other numbers, and with the inputs elsewhere in memory`,
    );
  }
  if (!watchedElsewhere()) violations.push("the inputs, or the memory around them, were changed");
  return { outputs: kept, violations };
}

/** @returns a function that says whether the inputs' whole buffers are still as they are now */
export function watchInputs(inputs: object): () => boolean {
  const buffers = new Set<ArrayBufferLike>();
  for (const value of Object.values(inputs)) {
    if (ArrayBuffer.isView(value)) buffers.add(value.buffer);
    else if (isTensor(value)) buffers.add(value.data.buffer);
  }
  const before = [...buffers].map((buffer) => [buffer, new Uint8Array(buffer).slice()] as const);
  return () =>
    before.every(([buffer, bytes]) => {
      const now = new Uint8Array(buffer);
      return sameBits(now, bytes);
    });
}

function isTensor(value: unknown): value is HostTensor {
  return typeof value === "object" && value !== null && "data" in value;
}

function copyOutputs(outputs: AttentionOutputs<HostTensor>): AttentionOutputs<HostTensor> {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, t]) => [name, { ...t, data: t.data.slice() }]),
  ) as unknown as AttentionOutputs<HostTensor>;
}

/** Outputs that overlap each other or an input in memory. */
function sharedMemory(outputs: AttentionOutputs<HostTensor>, inputs: Call): string[] {
  const arrays = (record: object): [string, TypedArray][] =>
    Object.entries(record)
      .filter(([, t]) => isTensor(t))
      .map(([name, t]) => [name, (t as HostTensor).data]);
  const own = arrays(outputs);
  const found: string[] = [];
  for (const [i, [name, data]] of own.entries()) {
    for (const [other, otherData] of [...own.slice(i + 1), ...arrays(inputs)]) {
      if (overlap(data, otherData)) found.push(`${name} shares memory with ${other}`);
    }
  }
  return found;
}

function overlap(a: TypedArray, b: TypedArray): boolean {
  return (
    a.buffer === b.buffer &&
    a.byteOffset < b.byteOffset + b.byteLength &&
    b.byteOffset < a.byteOffset + a.byteLength
  );
}

/** The same problem, in which every query, key, value and length is another: what leaks, shows. */
function poisonAll(inputs: Call, problem: AttentionProblem, { nonFinite }: Arithmetic): Call {
  const { dtype, kvDtype } = problem;
  const large = dtype === "float16" || kvDtype === "float16" ? 6e4 : 1e30;
  const poison = nonFinite ? Number.NaN : large;
  const poisoned = (t: HostTensor): HostTensor => {
    const data = t.data.slice();
    const fill = t.dtype === "int8" ? 127 : poison;
    data.fill(holdsBits(data) ? numberToFloat16Bits(fill) : fill);
    return { ...t, data };
  };
  const { query, key, value, keyScales, valueScales } = inputs;
  // Pages hold as many keys as lengths say, and starts say how many keys a sequence has.
  const ownLengths = inputs.pageTable !== undefined || inputs.keyStarts !== undefined;
  return {
    ...inputs,
    query: poisoned(query),
    key: poisoned(key),
    value: poisoned(value),
    ...(keyScales && { keyScales: poisoned(keyScales) }),
    ...(valueScales && { valueScales: poisoned(valueScales) }),
    ...(inputs.kvLengths &&
      !ownLengths && {
        kvLengths: new Int32Array(problem.batch).fill(problem.keyLength),
      }),
  };
}
