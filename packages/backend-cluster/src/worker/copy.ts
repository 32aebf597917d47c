import { decodeDescription, RefusedError, readAnswer } from "../message/answers.js";
import { MalformedMessageError } from "../message/errors.js";
import { statuses } from "../message/layout.js";
import { type CopyRequest, encodeInspect, encodeRead } from "../message/requests.js";
import { chunkBytes, requestId } from "../message/sending.js";
import { subjectsOf, type Transport } from "../transport/transport.js";
import type { Holder } from "./holder.js";

/** Milliseconds that another worker has for each answer. */
const patience = 5000;

/**
 * Copies a part from another worker into the own memory, in the version that it has there. A part that is here already in
 * a version that will do is kept.
 *
 * @throws RefusedError, MalformedMessageError, TransportError (rejects); then nothing is held
 */
export async function copyPart(
  transport: Transport,
  group: string,
  holder: Holder,
  { part, from }: CopyRequest,
): Promise<void> {
  if (isHeld(holder, part)) return;
  // Rows are left of an earlier attempt, or of an earlier version.
  holder.release(part);
  const subject = subjectsOf(group).worker(from);
  const ask = async (bytes: Uint8Array) =>
    readAnswer(await transport.request(subject, bytes, patience));
  const described = decodeDescription(await ask(encodeInspect(group, requestId(), part)));
  const { version, ...making } = described;
  if (version < part.least || version > part.most) {
    throw new RefusedError(statuses.otherVersion, `the other worker has version ${version}`);
  }
  const { session, tensor, part: number } = part;
  const name = { session, tensor, part: number };
  holder.create({ name, ...making, filled: true });
  try {
    const { bytes } = holder.named(name);
    const chunk = chunkBytes(transport.maxPayload);
    for (let start = 0; start < bytes; start += chunk) {
      const length = Math.min(chunk, bytes - start);
      const range = { part: { ...name, least: version, most: version }, start, length };
      const answer = await ask(encodeRead(group, requestId(), range));
      const piece = answer.bytes();
      if (piece.byteLength !== length) throw new MalformedMessageError("a piece has another size");
      holder.fill({ name, start, bytes: piece });
    }
    await holder.seal(name, version);
  } catch (error) {
    holder.release(name);
    throw error;
  }
}

function isHeld(holder: Holder, part: CopyRequest["part"]): boolean {
  try {
    holder.find(part);
    return true;
  } catch {
    return false;
  }
}
