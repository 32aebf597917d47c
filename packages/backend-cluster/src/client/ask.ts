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
 * @param bytes of the request, whose buffer belongs to the cluster from here on
 * @param until deadline, in milliseconds of `performance.now`
 * @param read takes what the answer says, who gave it and after how many milliseconds; what it throws counts as a wrong
 *   answer of that worker
 * @throws DeviceLostError (rejects) that names the part, when no replica is left or the deadline is over
 */
export function ask<T>(
  cluster: Cluster,
  part: PlacedPart,
  bytes: Uint8Array<ArrayBuffer>,
  until: number,
  read: ReadAnswer<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    new Asking(cluster, part, bytes, until, read, resolve, reject).begin();
  });
}

/** Written with callbacks, and alarms in place of timers: promises of each step took as long as the messages. */
class Asking<T> {
  readonly #cluster: Cluster;
  readonly #part: PlacedPart;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #until: number;
  readonly #read: ReadAnswer<T>;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: HeedError) => void;
  readonly #open = new Set<Member>();
  /** Workers that were asked in this round. */
  readonly #asked = new Set<Member>();
  readonly #refused = new Map<Member, unknown>();
  #deadline: object | null = null;
  /** The next replica's turn. */
  #turn: object | null = null;
  #settled = false;
  /** Whether each request so far was answered, and its bytes are not read any more. */
  #sent = true;
  #last: unknown;

  constructor(
    cluster: Cluster,
    part: PlacedPart,
    bytes: Uint8Array<ArrayBuffer>,
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
  }

  begin(): void {
    this.#next();
    if (this.#settled) return;
    this.#deadline = this.#cluster.alarms.set(this.#until, () => this.#fail(this.#lost()));
  }

  /** Asks the next replica. */
  #next(): void {
    this.#cluster.alarms.cancel(this.#turn);
    if (this.#settled) return;
    const { replicas } = this.#part;
    const left =
      this.#refused.size === 0 ? replicas : replicas.filter((one) => !this.#refused.has(one));
    if (left.length === 0 && this.#open.size === 0) {
      const [refused] = this.#refused.values();
      this.#fail(refused === undefined ? this.#lost() : refusalOf(refused));
      return;
    }
    const member = this.#first(left);
    if (member !== null) {
      this.#asked.add(member);
      this.#attempt(member);
      // A slow worker is not waited for longer than usual while another one could answer.
      if (left.length > this.#asked.size) this.#nextAfter(hedgeAfter(member));
    } else if (this.#open.size === 0) {
      this.#asked.clear();
      this.#nextAfter(retryAfter);
    }
  }

  #nextAfter(milliseconds: number): void {
    const at = performance.now() + milliseconds;
    this.#turn = this.#cluster.alarms.set(at, () => this.#next());
  }

  /** The worker that is asked next, of those that were not asked in this round; null if all were. */
  #first(members: readonly Member[]): Member | null {
    let first: Member | null = null;
    for (const member of members) {
      if (this.#asked.has(member) || this.#open.has(member)) continue;
      if (first === null || rank(member) < rank(first)) first = member;
    }
    return first;
  }

  #attempt(member: Member): void {
    this.#open.add(member);
    const start = performance.now();
    this.#cluster.request(member, this.#bytes, Math.min(attemptFor, this.#until - start)).then(
      (answer) => this.#answered(answer, member, performance.now() - start),
      (error) => {
        // A refusal is an answer, too.
        if (!(error instanceof RefusedError)) this.#sent = false;
        this.#failed(error, member);
      },
    );
  }

  #answered(answer: MessageReader, member: Member, milliseconds: number): void {
    if (!this.#settled) {
      let value: T;
      try {
        value = this.#read(answer, member, milliseconds);
      } catch (error) {
        this.#failed(error, member);
        return;
      }
      member.answered(milliseconds);
      this.#open.delete(member);
      this.#end();
      this.#resolve(value);
    }
    this.#closed(member);
  }

  #failed(error: unknown, member: Member): void {
    this.#last = error;
    const effect = effectOf(error);
    if (effect === "gone") this.#part.drop(member);
    else if (effect === "refused") this.#refused.set(member, error);
    else member.missed(error);
    this.#closed(member);
    this.#next();
  }

  /** Notes that a request has ended. */
  #closed(member: Member): void {
    this.#open.delete(member);
    if (this.#settled && this.#sent && this.#open.size === 0) {
      this.#cluster.buffers.give(this.#bytes);
    }
  }

  #fail(error: HeedError): void {
    this.#end();
    this.#reject(error);
  }

  #lost(): DeviceLostError {
    const { replicas, words } = this.#part;
    const message =
      replicas.length === 0
        ? `${words} is lost: no worker has it any more`
        : `${words} cannot be reached: ${replicas.map(({ name }) => name).join(", ")} did not answer before the deadline`;
    return new DeviceLostError("cluster", message, { cause: this.#last });
  }

  #end(): void {
    this.#settled = true;
    this.#cluster.alarms.cancel(this.#turn);
    this.#cluster.alarms.cancel(this.#deadline);
    // Workers that were asked first and are still silent are asked last from now on.
    if (this.#asked.size > 1) for (const member of this.#open) member.missed();
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
