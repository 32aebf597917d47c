import {
  BackendError,
  DeviceError,
  DeviceLostError,
  type HeedError,
  OutOfMemoryError,
  UnsupportedError,
} from "@heed/core";
import { RefusedError } from "../message/answers.js";
import { statuses } from "../message/layout.js";
import type { MessageReader } from "../message/reader.js";
import type { Cluster } from "./cluster.js";
import type { Member } from "./members.js";
import type { PlacedPart } from "./placement.js";

/** Milliseconds before replicas that could not be reached are asked again. */
const retryAfter = 25;
/** Milliseconds that one attempt may take before it is repeated: messages may be lost with a server. */
const attemptFor = 1000;

/** The effect of a failed attempt on what is asked next. */
type Effect =
  /** The worker may answer later. */
  | "again"
  /** The worker's copy of the part is gone or behind. */
  | "gone"
  /** The worker will say the same again. */
  | "refused";

export function effectOf(error: unknown): Effect {
  if (!(error instanceof RefusedError)) return "again";
  switch (error.status) {
    case statuses.unknownPart:
    case statuses.otherVersion:
      return "gone";
    case statuses.busy:
      return "again";
    default:
      return "refused";
  }
}

/** An error for the caller that says what a worker refused. */
export function refusalOf(error: unknown): HeedError {
  const { message } = error as Error;
  if (error instanceof RefusedError) {
    if (error.status === statuses.outOfMemory) return new OutOfMemoryError("cluster", message);
    if (error.status === statuses.unsupported) {
      return new UnsupportedError([
        { backend: "cluster", reasons: [{ code: "worker", message: `a worker says: ${message}` }] },
      ]);
    }
    if (error.status === statuses.failed) {
      return new DeviceError("cluster", `a worker failed: ${message}`, { cause: error });
    }
  }
  return new BackendError("cluster", `a worker refused: ${message}`, { cause: error });
}

type ReadAnswer<T> = (answer: MessageReader, from: Member, milliseconds: number) => T;

/**
 * Asks the replicas of a part, one after the other: the next one when a worker fails, or has not answered within
 * the time that answers usually take. The first answer that reads well counts; later ones are not looked at.
 *
 * @param until deadline, in milliseconds of `performance.now`
 * @param read takes what the answer says, who gave it and after how many milliseconds; what it throws counts as a wrong
 *   answer of that worker
 * @throws DeviceLostError (rejects) that names the part, when no replica is left or the deadline is over
 */
export function ask<T>(
  cluster: Cluster,
  part: PlacedPart,
  bytes: Uint8Array,
  until: number,
  read: ReadAnswer<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    new Asking(cluster, part, bytes, until, read, resolve, reject).next();
  });
}

class Asking<T> {
  readonly #cluster: Cluster;
  readonly #part: PlacedPart;
  readonly #bytes: Uint8Array;
  readonly #until: number;
  readonly #read: ReadAnswer<T>;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: HeedError) => void;
  readonly #deadline: ReturnType<typeof setTimeout>;
  readonly #open = new Set<Member>();
  /** Workers that were asked in this round. */
  readonly #asked = new Set<Member>();
  readonly #refused = new Map<Member, unknown>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #settled = false;
  #last: unknown;

  constructor(
    cluster: Cluster,
    part: PlacedPart,
    bytes: Uint8Array,
    until: number,
    read: ReadAnswer<T>,
    resolve: (value: T) => void,
    reject: (error: HeedError) => void,
  ) {
    this.#cluster = cluster;
    this.#part = part;
    this.#bytes = bytes;
    this.#until = until;
    this.#read = read;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#deadline = setTimeout(() => this.#giveUp(), Math.max(0, until - performance.now()));
  }

  /** Asks the next replica. */
  next(): void {
    clearTimeout(this.#timer);
    if (this.#settled) return;
    const { replicas } = this.#part;
    const left = replicas.filter((member) => !this.#refused.has(member));
    if (left.length === 0 && this.#open.size === 0) {
      const [refused] = this.#refused.values();
      this.#end(() => this.#reject(refused === undefined ? this.#lost() : refusalOf(refused)));
      return;
    }
    const member = left
      .filter((candidate) => !this.#asked.has(candidate) && !this.#open.has(candidate))
      .sort((a, b) => rank(a) - rank(b))[0];
    if (member !== undefined) {
      this.#asked.add(member);
      void this.#attempt(member);
      // A slow worker is not waited for longer than usual while another one could answer.
      if (left.length > this.#asked.size) {
        this.#timer = setTimeout(() => this.next(), hedgeAfter(member));
      }
    } else if (this.#open.size === 0) {
      this.#asked.clear();
      this.#timer = setTimeout(() => this.next(), retryAfter);
    }
  }

  async #attempt(member: Member): Promise<void> {
    this.#open.add(member);
    const start = performance.now();
    try {
      const most = Math.min(attemptFor, this.#until - start);
      const answer = await this.#cluster.request(member, this.#bytes, most);
      const milliseconds = performance.now() - start;
      const value = this.#read(answer, member, milliseconds);
      member.answered(milliseconds);
      this.#end(() => this.#resolve(value));
    } catch (error) {
      this.#last = error;
      const effect = effectOf(error);
      if (effect === "gone") this.#part.drop(member);
      else if (effect === "refused") this.#refused.set(member, error);
      else member.missed();
    } finally {
      this.#open.delete(member);
      this.next();
    }
  }

  #giveUp(): void {
    this.#end(() => this.#reject(this.#lost()));
  }

  #lost(): DeviceLostError {
    const { replicas, words } = this.#part;
    const message =
      replicas.length === 0
        ? `${words} is lost: no worker has it any more`
        : `${words} cannot be reached: ${replicas.map(({ name }) => name).join(", ")} did not answer before the deadline`;
    return new DeviceLostError("cluster", message, { cause: this.#last });
  }

  #end(settle: () => void): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#deadline);
    // Workers that were asked first and are still silent are asked last from now on.
    if (this.#asked.size > 1) for (const member of this.#open) member.missed();
    settle();
  }
}

/** Workers with a smaller number are asked first. */
function rank(member: Member): number {
  return (
    (member.suspect || member.silent ? 1e6 : 0) + (member.beat.leaving ? 1e3 : 0) + member.open
  );
}

/** Milliseconds after which a second worker is asked. */
function hedgeAfter(member: Member): number {
  return member.suspect || member.silent ? 5 : Math.min(250, Math.max(20, 4 * member.latency));
}
