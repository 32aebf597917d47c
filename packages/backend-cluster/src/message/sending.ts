/** Bytes of a part that go into one message: whole elements of any type, with room for the other fields. */
export function chunkBytes(maxPayload: number): number {
  return Math.floor(Math.min(maxPayload - 2048, 524_288) / 64) * 64;
}

/** An id that no other request has. */
export function newId(): string {
  return crypto.randomUUID().replaceAll("-", "");
}
