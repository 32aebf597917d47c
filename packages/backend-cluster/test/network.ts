import { type MessageHandler, type Transport, TransportError } from "../src/transport/transport.js";

/** The fate of a message on its way. */
export interface Fate {
  /** Milliseconds that it takes. Default 0. */
  readonly delay?: number;
  /** Whether it never arrives. */
  readonly lost?: boolean;
  /** Whether it arrives twice. */
  readonly twice?: boolean;
  /** Changes it on its way. */
  readonly changed?: (bytes: Uint8Array) => Uint8Array;
}

/** A messaging system within one process, in which a test decides about each message. */
export class Network {
  readonly maxPayload: number;
  /** Decides about a request. */
  onRequest: (subject: string, bytes: Uint8Array) => Fate = () => ({});
  /** Decides about an answer. */
  onAnswer: (subject: string, bytes: Uint8Array) => Fate = () => ({});
  readonly #handlers = new Map<string, Set<MessageHandler>>();

  constructor(maxPayload = 1_048_576) {
    this.maxPayload = maxPayload;
  }

  connect(): Transport {
    return new NetworkTransport(this);
  }

  handlersOf(subject: string): Set<MessageHandler> {
    const handlers = this.#handlers.get(subject) ?? new Set();
    this.#handlers.set(subject, handlers);
    return handlers;
  }
}

class NetworkTransport implements Transport {
  readonly #network: Network;
  readonly #ends = new Set<() => void>();
  #closed = false;

  constructor(network: Network) {
    this.#network = network;
  }

  get maxPayload(): number {
    return this.#network.maxPayload;
  }

  request(subject: string, bytes: Uint8Array, milliseconds: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const [handler] = this.#network.handlersOf(subject);
      if (this.#closed) return reject(new TransportError("closed", "closed"));
      if (bytes.length > this.maxPayload) {
        return reject(new TransportError("refused", "larger than a message may be"));
      }
      if (handler === undefined) {
        return reject(new TransportError("no-responders", `nobody listens to ${subject}`));
      }
      const timer = setTimeout(
        () => reject(new TransportError("timeout", "no answer in time")),
        milliseconds,
      );
      const respond = (answer: Uint8Array): void => {
        deliver(answer, this.#network.onAnswer(subject, answer), (arrived) => {
          clearTimeout(timer);
          resolve(arrived);
        });
      };
      deliver(bytes, this.#network.onRequest(subject, bytes), (arrived) => {
        // A worker that has gone meanwhile hears nothing.
        if (this.#network.handlersOf(subject).has(handler)) handler(arrived, respond);
      });
    });
  }

  publish(subject: string, bytes: Uint8Array): void {
    if (this.#closed) return;
    for (const handler of this.#network.handlersOf(subject)) {
      deliver(bytes, {}, (arrived) => handler(arrived, null));
    }
  }

  subscribe(subject: string, handle: MessageHandler): () => void {
    const handlers = this.#network.handlersOf(subject);
    handlers.add(handle);
    const end = (): void => {
      handlers.delete(handle);
    };
    this.#ends.add(end);
    return end;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const end of this.#ends) end();
  }
}

function deliver(bytes: Uint8Array, fate: Fate, arrive: (bytes: Uint8Array) => void): void {
  if (fate.lost) return;
  const copy = fate.changed?.(bytes.slice()) ?? bytes.slice();
  const later = (): void => arrive(copy.slice());
  for (let times = fate.twice ? 2 : 1; times > 0; times--) {
    if (fate.delay) setTimeout(later, fate.delay);
    else queueMicrotask(later);
  }
}
