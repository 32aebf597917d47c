import type { DType, HostTensor } from "@heed/core";
import { MalformedMessageError } from "./errors.js";
import { dtypeCodes, kinds } from "./layout.js";
import type { MessageReader } from "./reader.js";
import { MessageWriter } from "./writer.js";

/** Names a part of a tensor: the session that made it, the tensor's number there, the part's number. */
export interface PartName {
  /** 32 hexadecimal digits. */
  readonly session: string;
  readonly tensor: number;
  readonly part: number;
}

/** A part in one of several versions: each write gives a part the next one. */
export interface PartVersion extends PartName {
  readonly least: number;
  readonly most: number;
}

/** How the rows of a tensor are dealt out: page after page of keys to one part after another. */
export interface StripeSizes {
  /** Rows along the axis of keys, of the whole tensor. */
  readonly length: number;
  readonly pageSize: number;
  readonly parts: number;
}

export interface CreateRequest {
  readonly name: PartName;
  readonly dtype: DType;
  /** `[entries, heads, rows, size]`, or without the last axis for scales. */
  readonly shape: readonly number[];
  readonly stripes: StripeSizes;
  /** Whether bytes follow; otherwise it holds zeros. */
  readonly filled: boolean;
}

/** Version of a part that was just made. */
export const firstVersion = 1;

export interface FillRequest {
  readonly name: PartName;
  /** First byte of the part, whose elements are row-major. */
  readonly start: number;
  readonly bytes: Uint8Array;
}

export interface WriteRequest {
  /** Each in the versions that may be written to. */
  readonly target: PartVersion;
  readonly scales: PartVersion | null;
  /** Version of both after the write. */
  readonly version: number;
  /** Rows of the part, entry · rows + row. */
  readonly slots: Int32Array;
  /** `[1, heads, slots, size]`. */
  readonly source: HostTensor;
}

export interface ReadRequest {
  readonly part: PartVersion;
  /** Range of the part's bytes. */
  readonly start: number;
  readonly length: number;
}

export interface CopyRequest {
  readonly part: PartVersion;
  /** The worker that has it. */
  readonly from: string;
}

/** A worker, as it says of itself. */
export interface Beat {
  readonly worker: string;
  readonly backend: string;
  readonly device: string;
  readonly threads: number;
  /** Pairs of element types `query/keys` that its backend computes, such as `float32/int8`. */
  readonly dtypes: readonly string[];
  readonly memoryBytes: number;
  readonly usedBytes: number;
  readonly parts: number;
  readonly openRequests: number;
  /** Whether it is about to leave: it takes no new parts. */
  readonly leaving: boolean;
}

/** A request up to its own fields. */
export function begin(
  kind: number,
  group: string,
  id: string,
  room: number | Uint8Array<ArrayBuffer> = 0,
): MessageWriter {
  return new MessageWriter(kind, room).text(group).text(id);
}

export function writePart(to: MessageWriter, { session, tensor, part }: PartName): MessageWriter {
  return to.text(session).u32(tensor).u32(part);
}

export function readPart(from: MessageReader): PartName {
  const session = from.text();
  if (!/^[0-9a-f]{32}$/.test(session)) {
    throw new MalformedMessageError("a session is no 32 hexadecimal digits");
  }
  return { session, tensor: from.u32(), part: from.u32() };
}

export function writeVersion(to: MessageWriter, part: PartVersion): void {
  writePart(to, part).count(part.least).count(part.most);
}

export function readVersion(from: MessageReader): PartVersion {
  const part = readPart(from);
  const least = from.count();
  const most = from.count();
  if (most < least) throw new MalformedMessageError("a range of versions is empty");
  return { ...part, least, most };
}

export function writeOptional(to: MessageWriter, part: PartVersion | null): void {
  to.u8(part === null ? 0 : 1);
  if (part !== null) writeVersion(to, part);
}

export function readOptional(from: MessageReader): PartVersion | null {
  return from.flag() ? readVersion(from) : null;
}

export function encodeCreate(group: string, id: string, request: CreateRequest): Uint8Array {
  const { name, dtype, shape, stripes, filled } = request;
  const to = writePart(begin(kinds.create, group, id), name);
  to.u8(dtypeCodes.indexOf(dtype)).u8(shape.length);
  for (const size of shape) to.u32(size);
  to.u32(stripes.length).u32(stripes.pageSize).u32(stripes.parts);
  return to.u8(filled ? 1 : 0).finish();
}

export function decodeCreate(from: MessageReader): CreateRequest {
  const name = readPart(from);
  const dtype = from.dtype();
  const shape = from.shape();
  const stripes = { length: from.u32(), pageSize: from.u32(), parts: from.u32() };
  const filled = from.flag();
  from.end();
  return { name, dtype, shape, stripes, filled };
}

export function encodeFill(group: string, id: string, request: FillRequest): Uint8Array {
  const { name, start, bytes } = request;
  const to = writePart(begin(kinds.fill, group, id, bytes.byteLength), name);
  return to.count(start).bytes(bytes).finish();
}

export function decodeFill(from: MessageReader): FillRequest {
  const request = { name: readPart(from), start: from.count(), bytes: from.bytes() };
  from.end();
  return request;
}

export function encodeSeal(group: string, id: string, name: PartName): Uint8Array {
  return writePart(begin(kinds.seal, group, id), name).finish();
}

export function encodeInspect(group: string, id: string, name: PartName): Uint8Array {
  return writePart(begin(kinds.inspect, group, id), name).finish();
}

/** The name that a request to seal or to inspect a part consists of. */
export function decodeName(from: MessageReader): PartName {
  const name = readPart(from);
  from.end();
  return name;
}

export function encodeWrite(group: string, id: string, request: WriteRequest): Uint8Array {
  const { target, scales, version, slots, source } = request;
  const to = begin(kinds.write, group, id, source.data.byteLength + 4 * slots.length);
  writeVersion(to, target);
  writeOptional(to, scales);
  return to.count(version).ints(slots).tensor(source).finish();
}

export function decodeWrite(from: MessageReader): WriteRequest {
  const target = readVersion(from);
  const scales = readOptional(from);
  const version = from.count();
  const slots = from.ints();
  const source = from.tensor();
  from.end();
  if (slots === null || source === null) throw new MalformedMessageError("a write has no rows");
  return { target, scales, version, slots, source };
}

export function encodeRead(
  group: string,
  id: string,
  request: ReadRequest,
): Uint8Array<ArrayBuffer> {
  const to = begin(kinds.read, group, id);
  writeVersion(to, request.part);
  return to.count(request.start).count(request.length).finish();
}

export function decodeRead(from: MessageReader): ReadRequest {
  const request = { part: readVersion(from), start: from.count(), length: from.count() };
  from.end();
  return request;
}

export function encodeRelease(group: string, id: string, names: readonly PartName[]): Uint8Array {
  const to = begin(kinds.release, group, id).u32(names.length);
  for (const name of names) writePart(to, name);
  return to.finish();
}

/** A name takes 42 bytes at least, so that the bytes which are there bound the list. */
export function decodeRelease(from: MessageReader): readonly PartName[] {
  const count = from.u32();
  const names: PartName[] = [];
  for (let i = 0; i < count; i++) names.push(readPart(from));
  from.end();
  return names;
}

export function encodeCopy(group: string, id: string, request: CopyRequest): Uint8Array {
  const to = begin(kinds.copy, group, id);
  writeVersion(to, request.part);
  return to.text(request.from).finish();
}

export function decodeCopy(from: MessageReader): CopyRequest {
  const part = readVersion(from);
  const worker = from.text();
  from.end();
  if (!/^[A-Za-z0-9]{1,64}$/.test(worker)) throw new MalformedMessageError("no name of a worker");
  return { part, from: worker };
}

export function encodeKeep(group: string, id: string, session: string): Uint8Array {
  return begin(kinds.keep, group, id).text(session).finish();
}

export function decodeKeep(from: MessageReader): string {
  const session = from.text();
  from.end();
  return session;
}

export function encodeHello(group: string, id: string): Uint8Array {
  return begin(kinds.hello, group, id).finish();
}

export function encodeBeat(group: string, id: string, beat: Beat): Uint8Array {
  const to = begin(kinds.beat, group, id).text(beat.worker).text(beat.backend).text(beat.device);
  to.u32(beat.threads).text(beat.dtypes.join(","));
  to.count(beat.memoryBytes).count(beat.usedBytes).u32(beat.parts).u32(beat.openRequests);
  return to.u8(beat.leaving ? 1 : 0).finish();
}

export function decodeBeat(from: MessageReader): Beat {
  const beat = {
    worker: from.text(),
    backend: from.text(),
    device: from.text(),
    threads: from.u32(),
    dtypes: from.text().split(",").filter(Boolean),
    memoryBytes: from.count(),
    usedBytes: from.count(),
    parts: from.u32(),
    openRequests: from.u32(),
    leaving: from.flag(),
  };
  from.end();
  if (!/^[A-Za-z0-9]{1,64}$/.test(beat.worker)) {
    throw new MalformedMessageError("no name of a worker");
  }
  return beat;
}
