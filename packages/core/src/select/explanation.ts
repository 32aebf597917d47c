import { type BackendReasons, formatReasons, type SupportReason } from "../errors.js";

/** Which backend runs a problem, and why the others do not. It prints readably on consoles. */
export interface Explanation {
  /** The backend that would run it; `null` if none can, or until `"fastest"` has measured. */
  readonly backend: string | null;
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
): Explanation {
  return new ReadableExplanation(backend, others);
}

class ReadableExplanation implements Explanation {
  readonly backend: string | null;
  readonly others: readonly BackendReasons[];

  constructor(backend: string | null, others: readonly BackendReasons[]) {
    this.backend = backend;
    this.others = others;
  }

  get text(): string {
    const first = this.backend === null ? "no backend chosen" : `${this.backend} runs it`;
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

/**
 * The reason for not choosing a backend that could run a problem.
 *
 * @param select how backends are chosen
 * @param chosen name of the backend that runs it; undefined until one is measured to be the fastest
 */
export function whyNotChosen(
  select: "order" | "fastest" | object,
  chosen: string | undefined,
): SupportReason {
  if (chosen === undefined) {
    return {
      code: "not-measured",
      message: "could run it; the first call measures which backend is fastest",
    };
  }
  if (select === "fastest") {
    return {
      code: "slower",
      message: `could run it, but ${chosen} was measured to be faster`,
    };
  }
  const whose = select === "order" ? "" : " in the recommendation";
  return {
    code: "lower-priority",
    message: `could run it, but comes after ${chosen}${whose}`,
  };
}
