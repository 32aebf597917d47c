import type { Beat } from "../message/requests.js";
import { TransportError } from "../transport/transport.js";

/** Ticks of the client without a beat after which a worker counts as silent. */
const silentAfter = 10;
/** The same where the server says that nobody listens for it: a process that has ended, or one that connects again. */
const goneAfter = 3;
/** Ticks for which a worker that missed a request is asked last, and gets new parts only where others are too few. */
const suspectFor = 20;
/** Bytes of keys and values from which a call says how fast a worker computes. */
const leastBytes = 2 ** 20;
/** Milliseconds between two ticks. */
export const tickEvery = 250;

/**
 * Time as the client's event loop sees it: it stands still while the loop is kept busy, when beats that have come are
 * not heard either.
 */
export interface Clock {
  ticks: number;
}

/** A worker as a client sees it. */
export class Member {
  readonly name: string;
  beat: Beat;
  /** Tick of its last beat. */
  heardAt: number;
  readonly #clock: Clock;
  /** Requests that it has not answered yet. */
  open = 0;
  /** Moving average of the time that an answer takes, in milliseconds. */
  latency = 0;
  /** Moving average of the time that an answer takes beside computing, in milliseconds; 0 before the first. */
  roundTrip = 0;
  /** Moving average of the bytes of keys and values that it attends to in a millisecond; 0 before the first. */
  rate = 0;
  /** Tick at which a request went unanswered. */
  #suspectedAt = Number.NEGATIVE_INFINITY;
  /** Whether the server has said since its last beat that nobody listens for it. */
  #gone = false;

  constructor(beat: Beat, clock: Clock) {
    this.name = beat.worker;
    this.beat = beat;
    this.#clock = clock;
    this.heardAt = clock.ticks;
  }

  get silent(): boolean {
    return this.#clock.ticks - this.heardAt > (this.#gone ? goneAfter : silentAfter);
  }

  /** Whether a request to it went unanswered lately; it is then asked last. */
  get suspect(): boolean {
    return this.#clock.ticks - this.#suspectedAt <= suspectFor;
  }

  /** Notes that a request went unanswered, and why if that is known. */
  missed(error?: unknown): void {
    this.#suspectedAt = this.#clock.ticks;
    if (error instanceof TransportError && error.failure === "no-responders") this.#gone = true;
  }

  /** Notes a beat. */
  heard(beat: Beat): void {
    this.beat = beat;
    this.heardAt = this.#clock.ticks;
    this.#gone = false;
  }

  /** Notes that it can be reached. */
  reached(): void {
    this.#suspectedAt = Number.NEGATIVE_INFINITY;
  }

  /** Whether it can be counted on: it is heard of, and not about to leave. */
  get stays(): boolean {
    return !this.silent && !this.beat.leaving;
  }

  answered(milliseconds: number): void {
    this.reached();
    this.latency = averaged(this.latency, milliseconds);
  }

  /**
   * Notes a call of attention.
   *
   * @param milliseconds from the request to the answer
   * @param computing milliseconds of it for computing, as the worker says
   * @param bytes of keys and values that the call read
   */
  computed(milliseconds: number, computing: number, bytes: number): void {
    this.roundTrip = averaged(this.roundTrip, Math.max(0, milliseconds - computing));
    // Fewer keys take what a call costs that has none.
    if (bytes >= leastBytes && computing > 0) this.rate = averaged(this.rate, bytes / computing);
  }
}

function averaged(before: number, now: number): number {
  return before === 0 ? now : 0.8 * before + 0.2 * now;
}

/** The workers of a group, as far as they say that they are there. */
export class Members {
  readonly clock: Clock = { ticks: 0 };
  readonly #byName = new Map<string, Member>();

  /** @returns the member, and whether it was unknown or silent before */
  heard(beat: Beat): { readonly member: Member; readonly isNew: boolean } {
    const known = this.#byName.get(beat.worker);
    if (known === undefined) {
      const member = new Member(beat, this.clock);
      this.#byName.set(beat.worker, member);
      return { member, isNew: true };
    }
    const isNew = known.silent;
    known.heard(beat);
    // It speaks: it is worth being asked again.
    if (isNew) known.reached();
    return { member: known, isNew };
  }

  /** Workers that were heard of lately. */
  get live(): readonly Member[] {
    return [...this.#byName.values()].filter(({ silent }) => !silent);
  }

  /** Element types of keys that every worker computes with, and that of their scales. */
  get heldDTypes(): ReadonlySet<string> {
    const ofKeys = ({ beat }: Member): readonly string[] =>
      beat.dtypes.map((pair) => pair.slice(pair.indexOf("/") + 1));
    const [first, ...others] = this.live.map((member) => new Set(ofKeys(member)));
    const shared = [...(first ?? [])].filter((dtype) => others.every((of) => of.has(dtype)));
    return new Set(["float32", ...shared]);
  }

  /**
   * Workers that may get new parts, those with the most free memory first.
   *
   * @param least so many are needed: with fewer that answer everything, those are among them that missed a request
   */
  willing(least: number): readonly Member[] {
    const free = ({ beat }: Member): number => beat.memoryBytes - beat.usedBytes;
    const all = [...this.#byName.values()]
      .filter(({ stays }) => stays)
      .sort((a, b) => free(b) - free(a) || (a.name < b.name ? -1 : 1));
    const answering = all.filter(({ suspect }) => !suspect);
    return answering.length >= least ? answering : all;
  }
}
