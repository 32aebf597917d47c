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

/** Attention over a part of the keys. */
export interface PartOutputs {
  readonly output: HostTensor;
  readonly logSumExp: HostTensor;
}

export function encodeOutputs({ output, logSumExp }: PartOutputs): Uint8Array {
  const bytes = output.data.byteLength + logSumExp.data.byteLength;
  return granted(bytes).tensor(output).tensor(logSumExp).finish();
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
  const output = from.tensor();
  const logSumExp = from.tensor();
  from.end();
  if (!fits(output, shape, outputDType) || !fits(logSumExp, shape.slice(0, -1), statistics)) {
    throw new MalformedMessageError("a worker answered with tensors of other sizes");
  }
  return { output, logSumExp };
}

function fits(t: HostTensor | null, shape: readonly number[], dtype: DType): t is HostTensor {
  return t !== null && t.dtype === dtype && t.shape.join() === shape.join();
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
