import type { BoundProgram } from "@heed/core/program";
import type { VisitGroup } from "./groups.js";
import type { VisitMask } from "./visit-mask.js";

/** Bytes of masks that are kept for later calls, at most. */
const mostBytes = 2 ** 25;

/** Elements of tables of a program whose masks are kept, at most: they are compared at each call. */
const mostElements = 2 ** 20;

/**
 * Masks of groups, kept for calls that hide the same keys: a block mask serves many calls and layers, and so does what its program
 * leaves of partial blocks. Elements of the program's tables may have changed from call to call: they are compared with
 * a copy.
 */
export class KnownMasks {
  #kept = new KeptMasks();
  #calls = 0;
  #scalars: readonly number[] = [];
  #tables: readonly Elements[] = [];

  /**
   * The masks for a call, which are its own even if others with other tables run meanwhile.
   *
   * @param program null if none is asked
   * @returns null where none are kept: at the first call, which may be the only one, and for large tables
   */
  of(program: BoundProgram | null): KeptMasks | null {
    const { tables = [], scalars = [] } = program ?? {};
    this.#calls++;
    const elements = tables.reduce((sum, { data }) => sum + data.length, 0);
    if (this.#calls === 1 || elements > mostElements) return null;
    const given = tables.map(({ data }) => asIntegers(data));
    if (areEqual([this.#scalars], [scalars]) && areEqual(this.#tables, given)) return this.#kept;
    this.#kept = new KeptMasks();
    this.#scalars = [...scalars];
    this.#tables = given.map((list) => list.slice());
    return this.#kept;
  }
}

/** Masks of groups for one state of a program's tables. */
export class KeptMasks {
  readonly #masks = new Map<VisitGroup, VisitMask>();
  #bytes = 0;

  get(group: VisitGroup): VisitMask | undefined {
    return this.#masks.get(group);
  }

  /** Whether there is room for a mask. */
  takes(bytes: number): boolean {
    return this.#bytes + bytes <= mostBytes;
  }

  keep(group: VisitGroup, mask: VisitMask): void {
    this.#masks.set(group, mask);
    this.#bytes += mask.data.length;
  }
}

type Elements = Int32Array | Uint8Array;

/** Elements of four bytes, or of one, as integers: numbers that are equal may differ in their bits. */
function asIntegers(data: ArrayBufferView & { readonly length: number }): Elements {
  const { buffer, byteOffset, length, byteLength } = data;
  return byteLength === length
    ? new Uint8Array(buffer, byteOffset, length)
    : new Int32Array(buffer, byteOffset, length);
}

function areEqual(
  known: readonly ArrayLike<number>[],
  given: readonly ArrayLike<number>[],
): boolean {
  return (
    known.length === given.length &&
    known.every((list, n) => {
      const other = given[n] as ArrayLike<number>;
      if (list.length !== other.length) return false;
      for (let i = 0; i < list.length; i++) if (list[i] !== other[i]) return false;
      return true;
    })
  );
}
