import { type Backend, DeviceLostError } from "@heed/core";
import { Alarms } from "../alarms.js";
import { readAnswer } from "../message/answers.js";
import { MessageReader } from "../message/reader.js";
import {
  decodeBeat,
  encodeHello,
  encodeKeep,
  encodeRelease,
  type PartName,
} from "../message/requests.js";
import { newId, requestId } from "../message/sending.js";
import { stripesFor } from "../stripes.js";
import { type Subjects, subjectsOf, type Transport } from "../transport/transport.js";
import { type Member, Members, tickEvery } from "./members.js";
import { MessageBuffers } from "./message-buffers.js";
import { type PlacedTensor, Placement } from "./placement.js";
import { Repairs } from "./repairs.js";

/** How a client uses its group. */
export interface ClusterSettings {
  readonly group: string;
  readonly replicas: number;
  /** Milliseconds that a call may take. */
  readonly deadline: number;
  /** Keys of a page, at most. */
  readonly pageSize: number;
  /** Whether queries and outputs travel as float16. */
  readonly halfPrecision: boolean;
  /** Milliseconds that a write waits for the other replicas once one has confirmed it. */
  readonly patience: number;
}

/** Milliseconds between two signs of life to the workers. */
const keepEvery = 5000;
/** Milliseconds in which enough workers have to answer, and those after which no more are expected. */
const firstAnswersWithin = 2000;
const furtherAnswersWithin = 200;

/** A client's view of its group: the workers, where parts are, and the way to ask. */
export class Cluster {
  readonly transport: Transport;
  readonly options: ClusterSettings;
  readonly session: string = newId();
  readonly members: Members = new Members();
  readonly placements: Set<Placement> = new Set();
  readonly alarms: Alarms = new Alarms();
  readonly buffers: MessageBuffers = new MessageBuffers();
  /** Computes what workers do not; null: the reference does. */
  local: Backend | null = null;
  readonly #subjects: Subjects;
  readonly #repairs: Repairs;
  readonly #endBeats: () => void;
  readonly #keeping: ReturnType<typeof setInterval>;
  readonly #ticking: ReturnType<typeof setInterval>;
  /** Parts to be given back by workers that could not be told yet. */
  readonly #toRelease = new Map<Member, PartName[]>();
  #tensors = 0;
  #alive = 0;
  #disposed = false;

  constructor(transport: Transport, options: ClusterSettings) {
    this.transport = transport;
    this.options = options;
    this.#subjects = subjectsOf(options.group);
    this.#repairs = new Repairs(this);
    this.#endBeats = transport.subscribe(this.#subjects.beats, (bytes) => this.#hear(bytes));
    this.#keeping = setInterval(() => {
      transport.publish(this.#subjects.all, encodeKeep(options.group, requestId(), this.session));
    }, keepEvery);
    this.#ticking = setInterval(() => {
      this.members.clock.ticks += 1;
      this.#repairs.look();
      this.#closeIfIdle();
    }, tickEvery);
  }

  /** Asks who is there, and waits until everybody has had time to answer. */
  async meet(): Promise<void> {
    const { group, replicas } = this.options;
    const until = performance.now() + firstAnswersWithin;
    while (this.members.live.length < replicas && performance.now() < until) {
      this.transport.publish(this.#subjects.all, encodeHello(group, requestId()));
      await wait(100);
    }
    // Until nobody new has been heard of for a while.
    for (let known = -1; known < this.members.live.length; ) {
      known = this.members.live.length;
      this.transport.publish(this.#subjects.all, encodeHello(group, requestId()));
      await wait(furtherAnswersWithin);
    }
  }

  nextTensor(): number {
    this.#tensors += 1;
    this.#alive += 1;
    return this.#tensors;
  }

  /** Deadline of a call that begins now, in milliseconds of `performance.now`. */
  get deadline(): number {
    return performance.now() + this.options.deadline;
  }

  /**
   * Sends a worker a message.
   *
   * @throws TransportError, RefusedError, MalformedMessageError (rejects)
   */
  request(member: Member, bytes: Uint8Array, milliseconds: number): Promise<MessageReader> {
    member.open += 1;
    const subject = this.#subjects.worker(member.name);
    return this.transport.request(subject, bytes, milliseconds).then(
      (answer) => {
        member.open -= 1;
        return readAnswer(answer);
      },
      (error) => {
        member.open -= 1;
        throw error;
      },
    );
  }

  /**
   * The place for a tensor with so many entries and rows: beside others with the same rows, or over all workers that
   * take new parts.
   *
   * @throws DeviceLostError if there is no worker
   */
  placementFor(entries: number, rows: number): Placement {
    for (const placement of this.placements) {
      const { stripes } = placement;
      const usable = placement.parts.every(({ replicas }) => replicas.length > 0);
      if (placement.entries === entries && stripes.length === rows && usable) return placement;
    }
    const { pageSize, replicas } = this.options;
    const members = this.members.willing(replicas);
    if (members.length === 0) {
      throw new DeviceLostError("cluster", "no worker of the group has been heard of lately");
    }
    const stripes = stripesFor(rows, members.length, pageSize);
    const placement = new Placement(entries, stripes, members, replicas);
    this.placements.add(placement);
    return placement;
  }

  /** The workers on which each part of each placement is, in words. */
  describePlacements(): readonly string[] {
    return [...this.placements].map(({ entries, stripes, parts, tensors }) => {
      const where = parts.map(({ index, replicas }) => {
        const names = replicas.map(({ name }) => name).join(" and ");
        return `part ${index + 1} on ${names || "none"}`;
      });
      const rows = `${tensors.size} tensors of ${entries} × ${stripes.length} rows`;
      return `${rows} in pages of ${stripes.pageSize}: ${where.join(", ")}`;
    });
  }

  /** Gives a tensor's parts back, wherever they are. */
  release(storage: PlacedTensor): void {
    const { placement, holders } = storage;
    if (placement.tensors.delete(storage)) this.#alive -= 1;
    if (placement.tensors.size === 0) this.placements.delete(placement);
    const names = placement.parts.map(({ index }) => storage.name(index));
    for (const member of holders) this.releaseParts(member, names);
    this.#closeIfIdle();
  }

  /** Makes a worker give parts back: now if it can be reached, otherwise when it is heard of again. */
  releaseParts(member: Member, names: readonly PartName[]): void {
    const waiting = this.#toRelease.get(member) ?? [];
    this.#toRelease.set(member, waiting);
    waiting.push(...names);
    void this.#sendReleases(member);
  }

  async #sendReleases(member: Member): Promise<void> {
    const names = this.#toRelease.get(member) ?? [];
    this.#toRelease.delete(member);
    // Names are short; a thousand of them fit into any message.
    for (let start = 0; start < names.length; start += 1000) {
      const some = names.slice(start, start + 1000);
      try {
        await this.request(member, encodeRelease(this.options.group, requestId(), some), 1000);
      } catch {
        const waiting = this.#toRelease.get(member) ?? [];
        this.#toRelease.set(member, [...waiting, ...some]);
      }
    }
    this.#closeIfIdle();
  }

  #hear(bytes: Uint8Array): void {
    try {
      const reader = new MessageReader(bytes);
      if (reader.text() !== this.options.group) return;
      reader.text();
      const { member } = this.members.heard(decodeBeat(reader));
      if (this.#toRelease.has(member)) void this.#sendReleases(member);
      this.#repairs.look();
    } catch {
      // Whatever is no beat of this group and version is not listened to.
    }
  }

  /** Ends the use of the cluster. Tensors that were handed out stay until they are disposed. */
  dispose(): void {
    this.#disposed = true;
    this.local?.dispose();
    this.#closeIfIdle();
  }

  #closeIfIdle(): void {
    if (!this.#disposed || this.#alive > 0) return;
    const waits = [...this.#toRelease.keys()].some(({ silent }) => !silent);
    if (waits) return;
    clearInterval(this.#keeping);
    clearInterval(this.#ticking);
    this.#endBeats();
    this.#repairs.end();
    void this.transport.close();
  }
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
