import {
  type AttentionOutputs,
  type AttentionProblem,
  type BoundAttention,
  bytesPerElement,
  cast,
  type DeviceTensor,
  type DType,
  type HostTensor,
  InvalidInputError,
  isDeviceTensor,
  statisticsDType,
  storageOf,
  type Tensor,
  UnsupportedError,
} from "@heed/core";
import { decodeOutputs, type PartOutputs } from "../message/answers.js";
import { encodeAttend } from "../message/requests.js";
import { requestId } from "../message/sending.js";
import type { Stripes } from "../stripes.js";
import { ask } from "./ask.js";
import type { Cluster } from "./cluster.js";
import { cutCall, type PartCall } from "./cut.js";
import { toHost } from "./host.js";
import { localTensor } from "./local-storage.js";
import { type MergedOutputs, mergeParts } from "./merge-parts.js";
import { inTime } from "./patience.js";
import { upload } from "./spread.js";
import { SpreadStorage } from "./spread-storage.js";

/** The rules of a call that are neither tensors nor arrays, as JSON: with and without causal. */
export interface RulesText {
  readonly all: string;
  readonly withoutCausal: string;
}

/**
 * Computes a call: sends the query once to each part of the keys, and merges what comes back.
 *
 * @throws UnsupportedError (rejects) if keys or values are in host memory
 * @throws DeviceLostError (rejects) if a part is lost or nobody answered in time
 */
export async function attend(
  cluster: Cluster,
  bound: BoundAttention,
  rules: RulesText,
): Promise<AttentionOutputs> {
  const until = cluster.deadline;
  const { problem } = bound;
  checkResident(bound.key, "key");
  checkResident(bound.value, "value");
  const host = hostInputs(bound);
  const stored = await storedInputs(cluster, bound);
  const { key, value, keyScales, valueScales, dispose } = stored;
  const { placement } = key;
  const turn = placement.order.take(false);
  try {
    await inTime(turn.ready, until);
    const unplaced = stored.all.filter(({ placed }) => !placed).map(({ ready }) => ready);
    await inTime(unplaced.length === 0 ? null : Promise.all(unplaced), until);
    const { query, mask, bias } = await host;
    const wire = wireDTypes(problem, cluster.options.halfPrecision);
    const sent = query.dtype === wire.query ? query : narrowedQuery(query);
    const shape = [problem.batch, problem.queryHeads, problem.queryLength, problem.valueDim];
    const parts = await Promise.all(
      placement.parts.map((part): Promise<PartOutputs> => {
        const { index } = part;
        const { allVisible, ...cut } = cutCall(bound, placement.stripes, index, mask, bias);
        const message = encodeAttend(cluster.options.group, requestId(), {
          ...cut,
          key: key.version(index),
          value: value.version(index),
          keyScales: keyScales?.version(index) ?? null,
          valueScales: valueScales?.version(index) ?? null,
          query: sent,
          outputDType: wire.output,
          rules: allVisible ? rules.withoutCausal : rules.all,
        });
        checkSize(message, cluster);
        const bytes = keysOfPart(bound, placement.stripes, index, cut) * bytesOfKey(problem);
        return ask(cluster, part, message, until, (answer, member, milliseconds) => {
          const read = decodeOutputs(answer, shape, wire.output, statisticsDType(problem.dtype));
          member.computed(milliseconds, read.computing, bytes);
          return read;
        });
      }),
    );
    return outputsOf(problem, mergeParts(parts, wire.output, shape));
  } finally {
    turn.end();
    dispose();
  }
}

/** @throws UnsupportedError, as a backend that refuses the call would have it */
function checkResident(t: Tensor, name: string): void {
  if (isDeviceTensor(t)) return;
  const reason = {
    code: "host-memory",
    message: `${name} is in host memory: workers attend to keys and values that they hold`,
    hint: "upload keys and values, or make a cache with the attention",
  };
  throw new UnsupportedError([{ backend: "cluster", reasons: [reason] }]);
}

/** @throws UnsupportedError for a message that no server would take: tables of programs are known in the call alone */
function checkSize({ byteLength }: Uint8Array, { transport }: Cluster): void {
  const { maxPayload } = transport;
  if (byteLength <= maxPayload) return;
  const message = `a message of the call has ${byteLength} bytes, and the server takes ${maxPayload}`;
  const hint = "raise max_payload of the server, or give smaller tables to programs";
  throw new UnsupportedError([
    { backend: "cluster", reasons: [{ code: "too-large", message, hint }] },
  ]);
}

interface HostInputs {
  readonly query: HostTensor;
  readonly mask: HostTensor | null;
  readonly bias: HostTensor | null;
}

/** The tensors that are sent with a call, in host memory. */
async function hostInputs(bound: BoundAttention): Promise<HostInputs> {
  const { mask, bias } = bound.inputs;
  const query = await toHost(bound.query);
  const added = bias && (await toHost(bias));
  return {
    query,
    mask: mask ? await toHost(mask) : null,
    // A float16 query is computed as float32, and a bias has the query's type or float32.
    bias: added ? (added.dtype === "float16" ? cast(added, "float32") : added) : null,
  };
}

interface StoredInputs {
  readonly key: SpreadStorage;
  readonly value: SpreadStorage;
  readonly keyScales: SpreadStorage | null;
  readonly valueScales: SpreadStorage | null;
  readonly all: readonly SpreadStorage[];
  /** Disposes copies that were made for the call. */
  dispose(): void;
}

/**
 * The storages of keys, values and scales, with the same placement. What has another one, is a view of a part of a tensor,
 * or is in this process, is copied for this call.
 */
async function storedInputs(cluster: Cluster, bound: BoundAttention): Promise<StoredInputs> {
  const copies: DeviceTensor[] = [];
  const dispose = (): void => {
    for (const copy of copies) copy.dispose();
  };
  let placed: SpreadStorage["placement"] | undefined;
  const stored = async (t: Tensor | null): Promise<SpreadStorage | null> => {
    if (t === null) return null;
    const own = isDeviceTensor(t) ? storageOf(t, SpreadStorage) : null;
    if (own?.isWhole(t) && own.cluster === cluster && (placed ?? own.placement) === own.placement) {
      placed = own.placement;
      return own;
    }
    const copy = await upload(cluster, await toHost(t));
    copies.push(copy);
    const storage = storageOf(copy, SpreadStorage);
    if (storage === null) throw new InvalidInputError("key", "a tensor with elements", "none");
    placed ??= storage.placement;
    return storage;
  };
  try {
    const key = (await stored(bound.key)) as SpreadStorage;
    const value = (await stored(bound.value)) as SpreadStorage;
    const keyScales = await stored(bound.keyScales);
    const valueScales = await stored(bound.valueScales);
    const all = [key, value, keyScales, valueScales].filter((one) => one !== null);
    return { key, value, keyScales, valueScales, all, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** Keys of all sequences that a part has. */
function keysOfPart(
  { problem }: BoundAttention,
  stripes: Stripes,
  part: number,
  { kvLengths }: Pick<PartCall, "kvLengths">,
): number {
  if (kvLengths !== null) return kvLengths.reduce((sum, length) => sum + length, 0);
  return problem.batch * (problem.pages?.perSequence ?? 1) * stripes.rowsOf(part);
}

/** Bytes of a key and its value, of all heads. */
export function bytesOfKey({ kvHeads, headDim, valueDim, kvDtype }: AttentionProblem): number {
  return kvHeads * (headDim + valueDim) * bytesPerElement(kvDtype);
}

/** Element types in which query and output travel. */
export function wireDTypes(
  { dtype }: AttentionProblem,
  halfPrecision: boolean,
): { readonly query: DType; readonly output: DType } {
  if (dtype === "float64") return { query: dtype, output: dtype };
  const half = halfPrecision ? "float16" : "float32";
  return { query: dtype === "float16" ? dtype : half, output: half };
}

/** @throws InvalidInputError for numbers that float16 does not have */
function narrowedQuery(query: HostTensor): HostTensor {
  for (const x of query.data as Float32Array) {
    if (Math.abs(x) > 65504 && Number.isFinite(x)) {
      throw new InvalidInputError(
        "query",
        'numbers within float16, since the cluster has the precision "float16"',
        `${x}`,
      );
    }
  }
  return cast(query, "float16");
}

/** Outputs of the call, in this process. */
function outputsOf(
  { dtype, returns }: AttentionProblem,
  { output, logSumExp }: MergedOutputs,
): AttentionOutputs {
  return {
    output: localTensor(output.dtype === dtype ? output : cast(output, dtype)),
    ...(returns.logSumExp && { logSumExp: localTensor(logSumExp) }),
  };
}
