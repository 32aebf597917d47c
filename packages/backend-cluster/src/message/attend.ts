import type { DType, HostTensor } from "@heed/core";
import { MalformedMessageError } from "./errors.js";
import { dtypeCodes, kinds } from "./layout.js";
import { readProgram, type SentProgram, writeProgram } from "./programs.js";
import type { MessageReader } from "./reader.js";
import {
  begin,
  type PartVersion,
  readOptional,
  readVersion,
  writeOptional,
  writeVersion,
} from "./requests.js";

/** The tensors of a call that a worker holds. */
export interface StoredParts {
  readonly key: PartVersion;
  readonly value: PartVersion;
  readonly keyScales: PartVersion | null;
  readonly valueScales: PartVersion | null;
}

/** The tensors and arrays of a call that are sent with it, apart from its query, cut to one part of its keys. */
export interface CutCall {
  /** Whether key positions are the indices of the part's rows in the whole tensor. */
  readonly keysByIndex: boolean;
  readonly mask: HostTensor | null;
  readonly bias: HostTensor | null;
  readonly maskMod: SentProgram | null;
  readonly scoreMod: SentProgram | null;
  readonly blockMask: HostTensor | null;
  readonly queryBlock: number;
  readonly keyBlock: number;
  readonly kvLengths: Int32Array | null;
  readonly queryStarts: Int32Array | null;
  readonly keyStarts: Int32Array | null;
  readonly pageTable: HostTensor | null;
  readonly queryPositions: HostTensor | null;
  readonly keyPositions: HostTensor | null;
  readonly alibiSlopes: Float64Array | null;
  readonly sinks: Float64Array | null;
}

/** A call of attention over one part of its keys. */
export interface AttendRequest {
  readonly stored: StoredParts;
  readonly query: HostTensor;
  /** Element type in which the output travels. */
  readonly outputDType: DType;
  /** Rules that are neither tensors nor arrays, as JSON. */
  readonly rules: string;
  readonly cut: CutCall;
}

/** @param room bytes that the message is written to if it fits there; otherwise, and without them, it has its own */
export function encodeAttend(
  group: string,
  id: string,
  { stored, query, outputDType, rules, cut }: AttendRequest,
  room: number | Uint8Array<ArrayBuffer> = query.data.byteLength,
): Uint8Array<ArrayBuffer> {
  const to = begin(kinds.attend, group, id, room);
  writeVersion(to, stored.key);
  writeVersion(to, stored.value);
  writeOptional(to, stored.keyScales);
  writeOptional(to, stored.valueScales);
  to.tensor(query)
    .u8(dtypeCodes.indexOf(outputDType))
    .u8(cut.keysByIndex ? 1 : 0);
  to.text(rules).tensor(cut.mask).tensor(cut.bias);
  writeProgram(to, cut.maskMod);
  writeProgram(to, cut.scoreMod);
  to.tensor(cut.blockMask).u32(cut.queryBlock).u32(cut.keyBlock);
  to.ints(cut.kvLengths).ints(cut.queryStarts).ints(cut.keyStarts);
  to.tensor(cut.pageTable).tensor(cut.queryPositions).tensor(cut.keyPositions);
  return to.numbers(cut.alibiSlopes).numbers(cut.sinks).finish();
}

export function decodeAttend(from: MessageReader): AttendRequest {
  const stored = {
    key: readVersion(from),
    value: readVersion(from),
    keyScales: readOptional(from),
    valueScales: readOptional(from),
  };
  const query = from.tensor();
  if (query === null) throw new MalformedMessageError("a call has no query");
  const outputDType = from.dtype();
  const keysByIndex = from.flag();
  const rules = from.text();
  // In one literal, without a spread: V8 adds members to a spread one by one, which took longer than all of the reading.
  const cut: CutCall = {
    keysByIndex,
    mask: from.tensor(),
    bias: from.tensor(),
    maskMod: readProgram(from),
    scoreMod: readProgram(from),
    blockMask: from.tensor(),
    queryBlock: from.u32(),
    keyBlock: from.u32(),
    kvLengths: from.ints(),
    queryStarts: from.ints(),
    keyStarts: from.ints(),
    pageTable: from.tensor(),
    queryPositions: from.tensor(),
    keyPositions: from.tensor(),
    alibiSlopes: from.numbers(),
    sinks: from.numbers(),
  };
  from.end();
  return { stored, query, outputDType, rules, cut };
}
