import type { Problem } from "./problem.js";

interface Entry<P> {
  readonly signature: Float64Array;
  readonly problem: P;
}

/** Problems kept per operation; beyond that the table starts anew, which costs time but nothing else. */
const mostProblems = 1024;

/**
 * Problems by what they consist of, so that calls that repeat get the same object without building
 * it again: making one, with its key, takes longer than validating a call.
 *
 * A problem is identified by its *signature*: all of its fields as numbers, in a fixed order.
 */
export class ProblemTable<P extends Problem> {
  /** Signature of the problem asked for; callers fill it from index 0 before `find`. */
  readonly signature: Float64Array;
  readonly #entries = new Map<number, Entry<P>[]>();
  #count = 0;
  /** Most loops ask for the same problem again. */
  #last: Entry<P> | null = null;

  /** @param length numbers in a signature */
  constructor(length: number) {
    this.signature = new Float64Array(length);
  }

  /** The problem with the present signature; made by `make` where there is none yet. */
  find(make: () => P): P {
    const { signature } = this;
    if (this.#last !== null && equal(this.#last.signature, signature)) return this.#last.problem;
    return this.#search(signature, make);
  }

  // Apart from `find`, whose calls would else make a context for the closure below.
  #search(signature: Float64Array, make: () => P): P {
    const hash = hashOf(signature);
    const bucket = this.#entries.get(hash);
    const found = bucket?.find((entry) => equal(entry.signature, signature));
    if (found) {
      this.#last = found;
      return found.problem;
    }
    const entry = { signature: signature.slice(), problem: make() };
    if (this.#count === mostProblems) {
      this.#entries.clear();
      this.#count = 0;
    }
    const kept = this.#entries.get(hash);
    if (kept) kept.push(entry);
    else this.#entries.set(hash, [entry]);
    this.#count++;
    this.#last = entry;
    return entry.problem;
  }
}

function equal(a: Float64Array, b: Float64Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

const words = new Uint32Array(2);
const double = new Float64Array(words.buffer);

/** FNV-1a over the bits, a 32-bit word at a time. */
function hashOf(signature: Float64Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < signature.length; i++) {
    // Adding 0 turns −0 into 0, which compares equal to it.
    double[0] = (signature[i] as number) + 0;
    hash = Math.imul(hash ^ (words[0] as number), 0x01000193);
    hash = Math.imul(hash ^ (words[1] as number), 0x01000193);
  }
  return hash;
}
