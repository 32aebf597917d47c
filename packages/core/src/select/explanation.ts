import { type BackendReasons, formatReasons } from "../errors.js";

/** Which backend runs a problem, and why the others do not. It prints readably on consoles. */
export interface Explanation {
  /**
   * The backend that would run it; `null` if none can, until `"fastest"` has measured, or if only
   * backends could that are not loaded yet.
   */
  readonly backend: string | null;
  /** Why that backend is chosen, in a sentence, if there is more to say than that it is the first. */
  readonly why?: string;
  /** How that backend would compute it, where there is something worth knowing: that a measurement decided. */
  readonly notes?: readonly string[];
  /** Every other backend, in order of preference, with its reasons. */
  readonly others: readonly BackendReasons[];
  /** The same in words, one line a reason. */
  readonly text: string;
  /** The same as {@link text}. */
  toString(): string;
}

/** @returns the explanation, whose `text` is no member of its own, so that it compares by its facts */
export function explanation(
  backend: string | null,
  others: readonly BackendReasons[],
  why?: string,
  notes: readonly string[] = [],
): Explanation {
  return new ReadableExplanation(backend, others, why, notes);
}

class ReadableExplanation implements Explanation {
  readonly backend: string | null;
  readonly others: readonly BackendReasons[];
  declare readonly why?: string;
  declare readonly notes?: readonly string[];

  constructor(
    backend: string | null,
    others: readonly BackendReasons[],
    why: string | undefined,
    notes: readonly string[],
  ) {
    this.backend = backend;
    this.others = others;
    if (why !== undefined) this.why = why;
    if (notes.length > 0) this.notes = notes;
  }

  get text(): string {
    const why = this.why === undefined ? "" : `: ${this.why}`;
    const first = this.backend === null ? "no backend chosen" : `${this.backend} runs it${why}`;
    const notes = (this.notes ?? []).map((note) => `\n  ${note}`).join("");
    const all = this.others.length === 0 ? "" : `\n${formatReasons(this.others)}`;
    return `${first}${notes}${all}`;
  }

  toString(): string {
    return this.text;
  }

  /** How Node and Bun print it; without this, the reasons are shown as `[Array]`. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.text;
  }

  /** How Deno prints it. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.text;
  }
}
