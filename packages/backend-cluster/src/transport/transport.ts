/** Why a message had no answer. */
export type TransportFailure = "no-responders" | "timeout" | "closed" | "refused";

/** A message that got no answer: nobody listens, nobody answered in time, or the connection is closed. */
export class TransportError extends Error {
  override readonly name: string = "TransportError";
  readonly failure: TransportFailure;

  constructor(failure: TransportFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.failure = failure;
  }
}

/** Handles a message. `respond` is null where the sender wants no answer. */
export type MessageHandler = (
  bytes: Uint8Array,
  respond: ((bytes: Uint8Array) => void) | null,
) => void;

/** The few things that clients and workers ask of a messaging system. */
export interface Transport {
  /** Bytes of the largest message. */
  readonly maxPayload: number;
  /**
   * Sends a message and waits for one answer.
   *
   * @param bytes are the caller's again when the promise resolves; if it rejects, they may still be sent
   * @throws TransportError (rejects)
   */
  request(subject: string, bytes: Uint8Array, milliseconds: number): Promise<Uint8Array>;
  /** Sends a message. What cannot be sent is dropped. */
  publish(subject: string, bytes: Uint8Array): void;
  /** @returns a function that ends the subscription */
  subscribe(subject: string, handle: MessageHandler): () => void;
  /** Sends what is still to be sent, and closes. */
  close(): Promise<void>;
}

/** Subjects of a group. */
export interface Subjects {
  /** Requests to all workers. */
  readonly all: string;
  /** The subject on which workers say what they have. */
  readonly beats: string;
  /** Requests to one worker. */
  worker(name: string): string;
}

export function subjectsOf(group: string): Subjects {
  return {
    all: `heed.${group}.all`,
    beats: `heed.${group}.beat`,
    worker: (name) => `heed.${group}.worker.${name}`,
  };
}
