import {
  type AttentionOutputs,
  type AttentionProblem,
  type BoundAttention,
  bytesPerElement,
  cast,
  type DeviceTensor,
  type DType,
  elementCount,
  type HostTensor,
  InvalidInputError,
  isDeviceTensor,
  statisticsDType,
  storageOf,
  type Tensor,
  UnsupportedError,
} from "@heed/core";
import { decodeOutputs, type PartOutputs } from "../message/answers.js";
import { encodeAttend } from "../message/attend.js";
import { requestId } from "../message/sending.js";
import type { Stripes } from "../stripes.js";
import { ask } from "./ask.js";
import type { Cluster } from "./cluster.js";
import { cutCall, type WholeCall, wholeCall } from "./cut.js";
import { inProcess, toHost } from "./host.js";
import { localTensor } from "./local-storage.js";
import { type MergedOutputs, PartMerge } from "./merge-parts.js";
import { inTime } from "./patience.js";
import type { PlacedPart } from "./placement.js";
import { upload } from "./spread.js";
import { SpreadStorage } from "./spread-storage.js";

/** The rules of a call that are neither tensors nor arrays, as JSON: with and without causal. */
export interface RulesText {
  readonly all: string;
  readonly withoutCausal: string;
}

/** Bytes of a message beside its query, in most calls. */
const bytesBesideQuery = 1024;
/** Elements of an output up to which a plan keeps the memory in which it merges. */
const mostKeptElements = 65_536;

/** Attention over keys and values that workers hold: all that the calls of a plan share. */
export class AttendPlan {
  readonly #cluster: Cluster;
  readonly #problem: AttentionProblem;
  readonly #rules: RulesText;
  readonly #wire: WireDTypes;
  /** Shape of the output. */
  readonly #shape: readonly number[];
  readonly #statistics: DType;
  readonly #keyBytes: number;
  #merge: PartMerge | null = null;

  constructor(cluster: Cluster, problem: AttentionProblem, rules: RulesText) {
    this.#cluster = cluster;
    this.#problem = problem;
    this.#rules = rules;
    this.#wire = wireDTypes(problem, cluster.options.halfPrecision);
    this.#shape = [problem.batch, problem.queryHeads, problem.queryLength, problem.valueDim];
    this.#statistics = statisticsDType(problem.dtype);
    this.#keyBytes = bytesOfKey(problem);
  }

  /**
   * Computes a call: sends the query once to each part of the keys, and merges what comes back.
   *
   * @throws UnsupportedError (rejects) if keys or values are in host memory
   * @throws DeviceLostError (rejects) if a part is lost or nobody answered in time
   */
  async run(bound: BoundAttention): Promise<AttentionOutputs> {
    const cluster = this.#cluster;
    const until = cluster.deadline;
    checkResident(bound.key, "key");
    checkResident(bound.value, "value");
    // Before anything is awaited: the caller may dispose tensors of this process as soon as it has the promise.
    const inputs = Promise.all([queryOf(bound, this.#wire), wholeCall(bound)]);
    inputs.catch(() => undefined);
    const stored = await storedInputs(cluster, bound);
    const { placement } = stored.key;
    const turn = placement.order.take(false);
    try {
      await inTime(turn.ready, until);
      const unplaced = stored.all.filter(({ placed }) => !placed).map(({ ready }) => ready);
      await inTime(unplaced.length === 0 ? null : Promise.all(unplaced), until);
      const [query, call] = await inputs;
      const parts = await Promise.all(
        placement.parts.map((part) => this.#ask(part, stored, query, call, until)),
      );
      return outputsOf(this.#problem, this.#merged(parts));
    } finally {
      turn.end();
      stored.dispose();
    }
  }

  #ask(
    part: PlacedPart,
    stored: StoredInputs,
    query: HostTensor,
    call: WholeCall,
    until: number,
  ): Promise<PartOutputs> {
    const cluster = this.#cluster;
    const { index } = part;
    const { key, value, keyScales, valueScales } = stored;
    const { stripes } = key.placement;
    const cut = cutCall(call, stripes, index);
    const request = {
      stored: {
        key: key.version(index),
        value: value.version(index),
        keyScales: keyScales?.version(index) ?? null,
        valueScales: valueScales?.version(index) ?? null,
      },
      query,
      outputDType: this.#wire.output,
      rules: call.allVisible ? this.#rules.withoutCausal : this.#rules.all,
      cut,
    };
    const room = cluster.buffers.take(query.data.byteLength + bytesBesideQuery);
    const message = encodeAttend(cluster.options.group, requestId(), request, room);
    checkSize(message, cluster);
    const bytes = keysOfPart(this.#problem, stripes, index, cut.kvLengths) * this.#keyBytes;
    return ask(cluster, part, message, until, (answer, member, milliseconds) => {
      const read = decodeOutputs(answer, this.#shape, this.#wire.output, this.#statistics);
      member.computed(milliseconds, read.computing, bytes);
      return read;
    });
  }

  #merged(parts: readonly PartOutputs[]): MergedOutputs {
    const merge = this.#merge ?? new PartMerge(this.#wire.output, this.#shape);
    if (elementCount(this.#shape) <= mostKeptElements) this.#merge = merge;
    return merge.merge(parts);
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

/** The query in host memory, in the element type in which it travels. */
async function queryOf({ query: given }: BoundAttention, wire: WireDTypes): Promise<HostTensor> {
  const query = inProcess(given) ?? (await toHost(given));
  return query.dtype === wire.query ? query : narrowedQuery(query);
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
  { batch, pages }: AttentionProblem,
  stripes: Stripes,
  part: number,
  kvLengths: Int32Array | null,
): number {
  if (kvLengths !== null) return kvLengths.reduce((sum, length) => sum + length, 0);
  return batch * (pages?.perSequence ?? 1) * stripes.rowsOf(part);
}

/** Bytes of a key and its value, of all heads. */
export function bytesOfKey({ kvHeads, headDim, valueDim, kvDtype }: AttentionProblem): number {
  return kvHeads * (headDim + valueDim) * bytesPerElement(kvDtype);
}

/** Element types in which query and output travel. */
interface WireDTypes {
  readonly query: DType;
  readonly output: DType;
}

export function wireDTypes({ dtype }: AttentionProblem, halfPrecision: boolean): WireDTypes {
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
