import { type DType, type HostTensor, InvalidInputError } from "@heed/core";
import { MalformedMessageError } from "./errors.js";
import { dtypeCodes, type Status, statuses } from "./layout.js";
import { MessageReader } from "./reader.js";
import type { StripeSizes } from "./requests.js";
import { MessageWriter } from "./writer.js";

/** A worker's refusal of a request. */
export class RefusedError extends Error {
  override readonly name: string = "RefusedError";
  readonly status: Status;

  constructor(status: Status, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** The start of an answer that grants a request. */
export function granted(bytes = 0): MessageWriter {
  return new MessageWriter(statuses.ok, bytes);
}

export function encodeRefusal(status: Status, message: string): Uint8Array {
  return new MessageWriter(status).text(message.slice(0, 4096)).finish();
}

/**
 * Reads the start of an answer.
 *
 * @throws RefusedError if the worker refused, MalformedMessageError
 */
export function readAnswer(bytes: Uint8Array): MessageReader {
  const reader = new MessageReader(bytes);
  if (reader.kind === statuses.ok) return reader;
  const known = Object.values(statuses).find((status) => status === reader.kind);
  if (known === undefined) throw new MalformedMessageError(`${reader.kind} is no status`);
  throw new RefusedError(known, reader.text());
}

/** How a part is made, and its version. */
export interface PartDescription {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly stripes: StripeSizes;
  readonly version: number;
}

export function encodeDescription(d: PartDescription): Uint8Array {
  const to = granted().u8(dtypeCodes.indexOf(d.dtype)).u8(d.shape.length);
  for (const size of d.shape) to.u32(size);
  to.u32(d.stripes.length).u32(d.stripes.pageSize).u32(d.stripes.parts);
  return to.count(d.version).finish();
}

export function decodeDescription(from: MessageReader): PartDescription {
  const description = {
    dtype: from.dtype(),
    shape: from.shape(),
    stripes: { length: from.u32(), pageSize: from.u32(), parts: from.u32() },
    version: from.count(),
  };
  from.end();
  return description;
}

/** Attention over a part of the keys, as the worker has it. */
export interface ComputedPart {
  readonly output: HostTensor;
  readonly logSumExp: HostTensor;
  /** Milliseconds that computing took. */
  readonly computing: number;
}

/** Attention over a part of the keys, as it lies in an answer: elements are row-major and not aligned. */
export interface PartOutputs {
  readonly output: Uint8Array;
  readonly logSumExp: Uint8Array;
  /** Milliseconds that computing took, as the worker says. */
  readonly computing: number;
}

export function encodeOutputs({ output, logSumExp, computing }: ComputedPart): Uint8Array {
  const bytes = output.data.byteLength + logSumExp.data.byteLength;
  const microseconds = Math.max(0, Math.round(1000 * computing));
  return granted(bytes).tensor(output).tensor(logSumExp).count(microseconds).finish();
}

/**
 * @param shape of the output, `[batch, queryHeads, queryLength, valueDim]`
 * @throws MalformedMessageError unless both tensors have the shapes and element types that the call asked for
 */
export function decodeOutputs(
  from: MessageReader,
  shape: readonly number[],
  outputDType: DType,
  statistics: DType,
): PartOutputs {
  const output = from.elements(outputDType, shape);
  const logSumExp = from.elements(statistics, shape.slice(0, -1));
  const computing = from.count() / 1000;
  from.end();
  return { output, logSumExp, computing };
}

/** The status that tells what was thrown while a request was handled. */
export function statusOf(error: unknown): Status {
  if (error instanceof RefusedError) return error.status;
  if (error instanceof MalformedMessageError || error instanceof RangeError) {
    return statuses.malformed;
  }
  if (error instanceof InvalidInputError) return statuses.invalid;
  const { code } = error as { code?: unknown };
  if (code === "unsupported") return statuses.unsupported;
  return code === "out-of-memory" ? statuses.outOfMemory : statuses.failed;
}
