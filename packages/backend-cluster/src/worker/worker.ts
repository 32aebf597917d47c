import {
  type Attention,
  type Backend,
  createAttention,
  isDeviceTensor,
  type Provider,
  rowMajorStrides,
  scatter,
  type Tensor,
} from "@heed/core";
import {
  encodeDescription,
  encodeOutputs,
  encodeRefusal,
  granted,
  RefusedError,
  statusOf,
} from "../message/answers.js";
import { decodeAttend } from "../message/attend.js";
import { MalformedMessageError } from "../message/errors.js";
import { kinds, statuses } from "../message/layout.js";
import { MessageReader } from "../message/reader.js";
import {
  type Beat,
  decodeCopy,
  decodeCreate,
  decodeFill,
  decodeKeep,
  decodeName,
  decodeRead,
  decodeRelease,
  decodeWrite,
  encodeBeat,
  type ReadRequest,
  type WriteRequest,
} from "../message/requests.js";
import { newId } from "../message/sending.js";
import { type Subjects, subjectsOf, type Transport } from "../transport/transport.js";
import { attendPart } from "./attend.js";
import { copyPart } from "./copy.js";
import { dtypePairs } from "./dtypes.js";
import { type HeldPart, Holder } from "./holder.js";
import { Metrics } from "./metrics.js";

/** How a worker takes part. */
export interface WorkerOptions {
  /** The local backend that computes. */
  readonly provider: Provider;
  /** Name of the group. */
  readonly group: string;
  /** Bytes that parts may take together. */
  readonly memoryBytes: number;
  /** Requests that are worked on at once; more are refused as busy. Default 256. */
  readonly mostOpenRequests?: number | undefined;
  /** Milliseconds after which the parts of a session that nobody keeps alive are given back. Default 600,000. */
  readonly lease?: number | undefined;
  /** Milliseconds between two beats. Default 500. */
  readonly beatEvery?: number | undefined;
}

/**
 * Holds parts of keys and values in the memory of a local backend, and computes attention over them for whoever asks
 * through the transport.
 */
export class Worker {
  /** Name that no other worker has, not even this one when it is started again. */
  readonly name: string = newId();
  readonly metrics: Metrics = new Metrics();
  readonly holder: Holder;
  readonly #transport: Transport;
  readonly #subjects: Subjects;
  readonly #options: WorkerOptions;
  readonly #backend: Backend;
  readonly #local: Attention;
  readonly #dtypes: readonly string[];
  /** Answers that are being worked out, by the id of their request. */
  readonly #open = new Map<string, Promise<Uint8Array>>();
  /** When each session was last heard of, in milliseconds of `performance.now`. */
  readonly #sessions = new Map<string, number>();
  readonly #subscriptions: (() => void)[] = [];
  #writes: Promise<unknown> = Promise.resolve();
  #timer: ReturnType<typeof setInterval> | undefined;
  #leaving = false;

  private constructor(
    transport: Transport,
    options: WorkerOptions,
    backend: Backend,
    local: Attention,
  ) {
    this.#transport = transport;
    this.#subjects = subjectsOf(options.group);
    this.#options = options;
    this.#backend = backend;
    this.#local = local;
    this.#dtypes = dtypePairs(backend);
    this.holder = new Holder(options.memoryBytes, backend.memory ?? null);
  }

  /**
   * Starts a worker, which answers from here on.
   *
   * @param transport belongs to the worker, which closes it
   * @throws BackendUnavailableError (rejects) if the local backend cannot work
   */
  static async start(transport: Transport, options: WorkerOptions): Promise<Worker> {
    const { provider } = options;
    const backend = await provider.load();
    const local = await createAttention({
      backends: [{ name: provider.name, load: async () => backend }],
      fallback: "silent",
    });
    const worker = new Worker(transport, options, backend, local);
    worker.#listen();
    return worker;
  }

  /** The worker's description of itself. */
  get beat(): Beat {
    const { holder } = this;
    const { name, info } = this.#backend;
    return {
      worker: this.name,
      backend: name,
      device: info.device,
      threads: info.threads,
      dtypes: this.#dtypes,
      memoryBytes: holder.memoryBytes,
      usedBytes: holder.usedBytes,
      parts: holder.count,
      openRequests: this.#open.size,
      leaving: this.#leaving,
    };
  }

  /** Tells clients that the worker is about to leave, so that they copy its parts to others. */
  announceLeaving(): void {
    this.#leaving = true;
    this.#sendBeat();
  }

  /** Ends the worker. Its parts are lost unless they are elsewhere too. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const end of this.#subscriptions) end();
    await Promise.allSettled(this.#open.values());
    this.holder.releaseSessions(() => true);
    await this.#transport.close();
    await this.#local.dispose();
  }

  /** Works out the answer to a message. Never rejects: whatever is wrong with it is said in the answer. */
  async answer(bytes: Uint8Array): Promise<Uint8Array> {
    const start = performance.now();
    let kind = 0;
    try {
      const reader = new MessageReader(bytes);
      kind = reader.kind;
      this.#checkGroup(reader.text());
      const id = reader.text();
      const running = this.#open.get(id);
      if (running !== undefined) return await running;
      if (this.#open.size >= (this.#options.mostOpenRequests ?? 256)) {
        throw new RefusedError(statuses.busy, "too many requests are open");
      }
      const work = this.#work(kind, reader);
      this.#open.set(id, work);
      try {
        return await work;
      } finally {
        this.#open.delete(id);
      }
    } catch (error) {
      const status = statusOf(error);
      this.metrics.refused(status);
      return encodeRefusal(status, error instanceof Error ? error.message : String(error));
    } finally {
      this.metrics.answered(kind, performance.now() - start, bytes.byteLength);
    }
  }

  async #work(kind: number, reader: MessageReader): Promise<Uint8Array> {
    const { holder } = this;
    switch (kind) {
      case kinds.create: {
        const request = decodeCreate(reader);
        if (this.#leaving) throw new RefusedError(statuses.busy, "the worker is about to leave");
        holder.create(request);
        this.#heardOf(request.name.session);
        return done;
      }
      case kinds.fill:
        holder.fill(decodeFill(reader));
        return done;
      case kinds.seal:
        await holder.seal(decodeName(reader));
        return done;
      case kinds.write: {
        const request = decodeWrite(reader);
        const written = this.#writes.then(() => this.#write(request));
        this.#writes = written.catch(() => undefined);
        await written;
        return done;
      }
      case kinds.attend: {
        const most = this.#transport.maxPayload;
        return encodeOutputs(await attendPart(this.#local, holder, decodeAttend(reader), most));
      }
      case kinds.read:
        return this.#read(decodeRead(reader));
      case kinds.release: {
        for (const name of decodeRelease(reader)) holder.release(name);
        return done;
      }
      case kinds.copy: {
        const request = decodeCopy(reader);
        await copyPart(this.#transport, this.#options.group, holder, request);
        this.#heardOf(request.part.session);
        return done;
      }
      case kinds.inspect: {
        const { request, version } = holder.named(decodeName(reader));
        const { dtype, shape, stripes } = request;
        return encodeDescription({ dtype, shape, stripes, version });
      }
      case kinds.keep:
        this.#heardOf(decodeKeep(reader));
        return done;
      case kinds.hello:
        reader.end();
        this.#sendBeat();
        return done;
      default:
        throw new MalformedMessageError(`${kind} is no kind of request`);
    }
  }

  /**
   * Writes rows. A request whose version the part has already is one that was repeated, and one of an earlier
   * version came late: neither changes anything.
   */
  async #write({ target, scales, version, slots, source }: WriteRequest): Promise<void> {
    const { holder } = this;
    const named = [target, ...(scales ? [scales] : [])].map((part) => holder.named(part));
    if (named.every((part) => part.version === version)) return;
    const into = holder.find(target);
    const beside = scales && holder.find(scales);
    if (version <= target.most) throw new MalformedMessageError("a write needs a new version");
    await this.#local.apply(scatter, {
      target: into.tensor,
      source,
      slots,
      paged: true,
      ...(beside && { scales: beside.tensor }),
    });
    into.version = version;
    if (beside) beside.version = version;
  }

  async #read({ part, start, length }: ReadRequest): Promise<Uint8Array> {
    const held = this.holder.find(part);
    if (length > this.#transport.maxPayload - 1024 || start + length > held.bytes) {
      throw new RefusedError(statuses.invalid, "more bytes are asked for than there are");
    }
    const bytes = await bytesOf(held.tensor, held, start, length);
    return granted(length).bytes(bytes).finish();
  }

  #checkGroup(group: string): void {
    if (group === this.#options.group) return;
    throw new MalformedMessageError("it is for another group");
  }

  #heardOf(session: string): void {
    this.#sessions.set(session, performance.now());
  }

  #listen(): void {
    const handle = (bytes: Uint8Array, respond: ((bytes: Uint8Array) => void) | null): void => {
      void this.answer(bytes).then((answer) => respond?.(answer));
    };
    const { all, worker } = this.#subjects;
    for (const subject of [all, worker(this.name)]) {
      this.#subscriptions.push(this.#transport.subscribe(subject, handle));
    }
    this.#timer = setInterval(() => {
      this.#sendBeat();
      this.#endSessions();
    }, this.#options.beatEvery ?? 500);
    this.#sendBeat();
  }

  #sendBeat(): void {
    const { beats } = this.#subjects;
    this.#transport.publish(beats, encodeBeat(this.#options.group, "", this.beat));
  }

  /** Gives back the parts of sessions whose client has not been heard of for a lease. */
  #endSessions(): void {
    const oldest = performance.now() - (this.#options.lease ?? 600_000);
    const over = [...this.#sessions].filter(([, at]) => at < oldest).map(([session]) => session);
    if (over.length === 0) return;
    for (const session of over) this.#sessions.delete(session);
    this.holder.releaseSessions((session) => over.includes(session));
  }
}

const done = granted().finish();

/** Bytes of a part, whose elements are row-major. */
async function bytesOf(
  held: Tensor,
  { bytes, request }: HeldPart,
  start: number,
  length: number,
): Promise<Uint8Array> {
  const size = request.shape.reduce((product, axis) => product * axis, 1);
  const each = size === 0 ? 1 : bytes / size;
  if (start % each !== 0 || length % each !== 0) {
    throw new RefusedError(statuses.invalid, "bytes are asked for within an element");
  }
  if (!isDeviceTensor(held)) return slice(held.data, start, length);
  const shape = [length / each];
  const offset = (held.offset ?? 0) + start / each;
  const view = held.view?.({ shape, strides: rowMajorStrides(shape), offset });
  if (view === undefined) return slice((await held.read()).data, start, length);
  try {
    return slice((await view.read()).data, 0, length);
  } finally {
    view.dispose();
  }
}

function slice(
  { buffer, byteOffset }: { buffer: ArrayBufferLike; byteOffset: number },
  start: number,
  length: number,
): Uint8Array {
  return new Uint8Array(buffer, byteOffset + start, length);
}
