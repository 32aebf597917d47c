import { messageOf, OnnxRuntimeError } from "./errors.js";
import { exclusively, type Turns, turnsOf } from "./exclusive.js";
import type { Runtime, RuntimeSession, RuntimeTensor, SessionOptions } from "./runtime.js";

/** Models kept ready. A session holds a few hundred kilobytes beside what its runs allocate. */
const sessionsKept = 32;

/** A model by name: equal keys are equal models. */
export interface SessionModel {
  readonly key: string;
  readonly model: () => Uint8Array;
}

/**
 * Sessions by the key of their graph; the least recently used is released. One thing happens at a
 * time: onnxruntime-web's builds for WebGPU refuse a run while another is under way, and the others
 * would only take turns on the same threads.
 */
export class Sessions {
  readonly #runtime: Runtime;
  readonly #turns: Turns;
  readonly #options: SessionOptions;
  /** In order of use: a Map keeps the order of insertion. */
  readonly #sessions = new Map<string, RuntimeSession>();
  /** The last of them, found without looking: calls of one kind come in a row. */
  #latest: { readonly model: SessionModel; readonly session: RuntimeSession } | null = null;

  constructor(runtime: Runtime, options: SessionOptions) {
    this.#runtime = runtime;
    this.#turns = turnsOf(runtime);
    this.#options = options;
  }

  /** Sessions held. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Makes sure that there is a session. @throws OnnxRuntimeError */
  async prepare(graph: SessionModel): Promise<void> {
    if (this.#sessions.has(graph.key)) return;
    await exclusively(this.#runtime, () => this.#session(graph));
  }

  /**
   * One function, since a call that takes 50 µs feels each promise more.
   *
   * @throws OnnxRuntimeError
   */
  async run(
    graph: SessionModel,
    feeds: Readonly<Record<string, RuntimeTensor>>,
    fetches?: Readonly<Record<string, RuntimeTensor | null>>,
  ): Promise<Readonly<Record<string, RuntimeTensor>>> {
    const before = this.#turns.enter();
    if (before) await before;
    try {
      const known = this.#latest;
      const session = known?.model === graph ? known.session : await this.#session(graph);
      return await (fetches ? session.run(feeds, fetches) : session.run(feeds));
    } catch (cause) {
      if (cause instanceof OnnxRuntimeError) throw cause;
      throw new OnnxRuntimeError(
        `ONNX Runtime failed while it ran: ${messageOf(cause)}`,
        "if memory ran out, use shorter lengths or another provider; otherwise try another version of onnxruntime, or another backend",
        { cause },
      );
    } finally {
      this.#turns.leave();
    }
  }

  /** Releases every session once the runs under way are done. */
  async release(): Promise<void> {
    await exclusively(this.#runtime, async () => {
      const sessions = [...this.#sessions.values()];
      this.#sessions.clear();
      this.#latest = null;
      for (const session of sessions) await session.release();
    });
  }

  /** The session of a model, which then is the latest used. */
  async #session(wanted: SessionModel): Promise<RuntimeSession> {
    const { key, model } = wanted;
    let session = this.#sessions.get(key);
    if (session) this.#sessions.delete(key);
    else session = await this.#create(model());
    this.#sessions.set(key, session);
    this.#latest = { model: wanted, session };
    for (const [oldKey, old] of this.#sessions) {
      if (this.#sessions.size <= sessionsKept) break;
      this.#sessions.delete(oldKey);
      await old.release();
    }
    return session;
  }

  async #create(model: Uint8Array): Promise<RuntimeSession> {
    try {
      return await this.#runtime.InferenceSession.create(model, this.#options);
    } catch (cause) {
      throw new OnnxRuntimeError(
        `ONNX Runtime does not take the model: ${messageOf(cause)}`,
        "Heed is tested with onnxruntime 1.30; another version, or a build with fewer operators, may lack what the model uses",
        { cause },
      );
    }
  }
}
