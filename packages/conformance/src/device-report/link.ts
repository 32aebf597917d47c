import { InvalidInputError } from "@heed/core";
import { mostCharacters } from "./bounds.js";
import type { DeviceReport } from "./device-report.js";
import { parseDeviceReport } from "./schema.js";

/** Name of the member of an address' fragment that holds a report: `#report=…`. */
const member = "report";

/**
 * A report as the fragment of an address: JSON, compressed (deflate, RFC 1951), in base64url (RFC 4648, section 5).
 * Browsers send no fragment to a server.
 *
 * @returns `"#report=…"`
 */
export async function reportToFragment(report: DeviceReport): Promise<string> {
  const compressed = await through(
    new TextEncoder().encode(JSON.stringify(report)),
    new CompressionStream("deflate-raw"),
    Number.POSITIVE_INFINITY,
  );
  let binary = "";
  for (const byte of compressed) binary += String.fromCharCode(byte);
  const encoded = btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return `#${member}=${encoded}`;
}

/**
 * The report in an address' fragment, which may come from anybody.
 *
 * @returns null if the fragment holds none
 * @throws InvalidInputError (rejects) if it is damaged, too large or no report
 */
export async function reportFromFragment(fragment: string): Promise<DeviceReport | null> {
  const encoded = new URLSearchParams(fragment.replace(/^#/, "")).get(member);
  if (encoded === null) return null;
  const name = "the report in the address";
  // Base64 of a file that compression does not shorten.
  if (encoded.length > (4 * mostCharacters) / 3) {
    throw new InvalidInputError(name, `at most ${mostCharacters} bytes`, "more");
  }
  const json = await through(
    bytesOf(encoded, name),
    new DecompressionStream("deflate-raw"),
    mostCharacters,
  )
    .then((bytes) => new TextDecoder("utf-8", { fatal: true }).decode(bytes))
    .catch((cause: unknown) => {
      if (cause instanceof InvalidInputError) throw cause;
      throw new InvalidInputError(name, "compressed text", "something else, or a part of it", {
        cause,
      });
    });
  return parseDeviceReport(json, name);
}

function bytesOf(encoded: string, name: string): Uint8Array<ArrayBuffer> {
  if (!/^[\w-]*$/.test(encoded) || encoded.length % 4 === 1) {
    throw new InvalidInputError(name, "base64url", "other characters, or a part of it");
  }
  const binary = atob(encoded.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

/** @throws InvalidInputError (rejects) as soon as more than `most` bytes have come out: a few bytes can unpack to gigabytes */
async function through(
  bytes: Uint8Array<ArrayBuffer>,
  transform: CompressionStream | DecompressionStream,
  most: number,
): Promise<Uint8Array> {
  const reader = new Blob([bytes]).stream().pipeThrough(transform).getReader();
  const pieces: Uint8Array[] = [];
  let size = 0;
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    size += piece.value.length;
    if (size > most) {
      await reader.cancel();
      throw new InvalidInputError("the report in the address", `at most ${most} bytes`, "more");
    }
    pieces.push(piece.value);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
