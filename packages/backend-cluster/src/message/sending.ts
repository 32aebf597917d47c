/** Bytes of a part that go into one message: whole elements of any type, with room for the other fields. */
export function chunkBytes(maxPayload: number): number {
  return Math.floor(Math.min(maxPayload - 2048, 524_288) / 64) * 64;
}

const run = newId();
let requests = 0;

/** An id that no other request has: that of this run of the program, and a number. Random bytes for each would cost more. */
export function requestId(): string {
  requests += 1;
  return `${run}${requests.toString(36)}`;
}

/** An id that nothing else has: 32 hexadecimal digits. Pages that are not served securely lack `crypto.randomUUID`. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
