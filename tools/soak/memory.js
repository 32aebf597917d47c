import { getHeapCodeStatistics } from "node:v8";
import { fitLine } from "./slope.js";

/** Measurements of a run, from the first on, that are left out: caches and compiled code fill then. */
const warmUp = 1 / 3;

/**
 * Bytes in use after a collection (`--expose-gc`): JavaScript's heap, code that the engine compiled, which is a part
 * of the heap that it keeps and drops at its own time, ArrayBuffers, and the process.
 */
export function memory() {
  globalThis.gc();
  const { heapUsed, external, rss } = process.memoryUsage();
  const { code_and_metadata_size: code, bytecode_and_metadata_size: bytecode } =
    getHeapCodeStatistics();
  return { heap: heapUsed, code: code + bytecode, external, process: rss };
}

/**
 * How much each kind of memory grows with the number of calls or rounds.
 *
 * @param {readonly (readonly [count: number, bytes: ReturnType<typeof memory>])[]} measured
 */
export function slopesOf(measured) {
  const kept = measured.slice(Math.floor(measured.length * warmUp));
  const slope = (of) => fitLine(kept.map(([at, bytes]) => [at, of(bytes)]));
  return {
    heap: slope(({ heap }) => heap),
    objects: slope(({ heap, code }) => heap - code),
    external: slope(({ external }) => external),
    process: slope((bytes) => bytes.process),
  };
}
