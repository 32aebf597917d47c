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
): Explanation {
  return new ReadableExplanation(backend, others, why);
}

class ReadableExplanation implements Explanation {
  readonly backend: string | null;
  readonly others: readonly BackendReasons[];
  declare readonly why?: string;

  constructor(backend: string | null, others: readonly BackendReasons[], why: string | undefined) {
    this.backend = backend;
    this.others = others;
    if (why !== undefined) this.why = why;
  }

  get text(): string {
    const why = this.why === undefined ? "" : `: ${this.why}`;
    const first = this.backend === null ? "no backend chosen" : `${this.backend} runs it${why}`;
    return this.others.length === 0 ? first : `${first}\n${formatReasons(this.others)}`;
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
