// The difference between two binaries, for a package that holds both: alternately bytes to take as they are and
// places to copy from. src/delta.ts applies it.

/** Copies are at least so long: shorter ones take more bytes to say than they save. */
const shortestCopy = 8;

/** @returns bytes: of each step a count, so many literal bytes, an offset into `from` and a count to copy */
export function encodeDelta(from, to) {
  const key = (bytes, at) => bytes.toString("latin1", at, at + shortestCopy);
  const places = new Map();
  for (let at = 0; at + shortestCopy <= from.length; at++) places.set(key(from, at), at);
  const out = [];
  let literal = [];
  let at = 0;
  while (at < to.length) {
    const place = places.get(key(to, at));
    if (place === undefined || at + shortestCopy > to.length) {
      literal.push(to[at++]);
      continue;
    }
    let length = shortestCopy;
    while (at + length < to.length && from[place + length] === to[at + length]) length++;
    out.push(...varint(literal.length), ...literal, ...varint(place), ...varint(length));
    literal = [];
    at += length;
  }
  out.push(...varint(literal.length), ...literal, ...varint(0), ...varint(0));
  return Buffer.from(out);
}

/** An unsigned integer in LEB128. */
function varint(value) {
  const bytes = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}
