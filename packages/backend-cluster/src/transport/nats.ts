import type { ConnectionOptions, NatsConnection } from "@nats-io/nats-core";
import { Answers } from "./answers.js";
import type { Transport } from "./transport.js";

/** How to reach the servers of NATS. */
export interface NatsOptions {
  readonly servers: readonly string[];
  /** Options of the connection that say who connects: `user` and `pass`, `token`, or an `authenticator`. */
  readonly credentials?: Credentials | undefined;
  /** TLS options of the transport, such as `{ caFile }`; `{}` demands TLS. Not for WebSockets, where `wss:` does. */
  readonly tls?: ConnectionOptions["tls"] | undefined;
  /** Name of the connection, which servers show. */
  readonly name: string;
}

/** Members of NATS's connection options that say who connects. */
export type Credentials = Pick<ConnectionOptions, "user" | "pass" | "token" | "authenticator">;

/**
 * The package for TCP. Pages never import it: comments at the import keep webpack and Vite from resolving it, a variable
 * keeps other bundlers from it.
 */
const nodePackage = "@nats-io/transport-node";

/**
 * A connection to servers of NATS: over TCP by @nats-io/transport-node, or over WebSockets by @nats-io/nats-core
 * where the addresses begin with `ws:` or `wss:`, as they must in browsers. It connects again by itself for as long
 * as it is not closed.
 *
 * @throws the transport's own error (rejects) if no server can be reached now
 */
export async function connectNats(options: NatsOptions): Promise<Transport> {
  const { servers, credentials, tls, name } = options;
  const connection = await connectTo(servers, {
    ...credentials,
    ...(tls !== undefined && { tls }),
    servers: [...servers],
    name,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
    reconnectJitter: 50,
    pingInterval: 5000,
    timeout: 5000,
  });
  return new NatsTransport(connection);
}

async function connectTo(
  servers: readonly string[],
  options: ConnectionOptions,
): Promise<NatsConnection> {
  if (servers.every((server) => /^wss?:/.test(server))) {
    const { wsconnect } = await import("@nats-io/nats-core");
    return wsconnect(options);
  }
  const { process } = globalThis as {
    readonly process?: { readonly versions?: { node?: string } };
  };
  if (process?.versions?.node === undefined) {
    throw new Error("outside of Node and Bun, addresses have to begin with ws:// or wss://");
  }
  const { connect } = (await import(
    /* webpackIgnore: true */ /* @vite-ignore */ nodePackage
  )) as typeof import("@nats-io/transport-node");
  return connect(options);
}

class NatsTransport implements Transport {
  readonly #connection: NatsConnection;
  readonly #answers: Answers;

  constructor(connection: NatsConnection) {
    this.#connection = connection;
    this.#answers = new Answers(connection);
  }

  get maxPayload(): number {
    return this.#connection.info?.max_payload ?? 1048576;
  }

  request(subject: string, bytes: Uint8Array, milliseconds: number): Promise<Uint8Array> {
    return this.#answers.request(subject, bytes, milliseconds);
  }

  publish(subject: string, bytes: Uint8Array): void {
    try {
      this.#connection.publish(subject, bytes);
    } catch {
      // The connection is closed or is being closed: whoever needs an answer notices.
    }
  }

  subscribe(
    subject: string,
    handle: (bytes: Uint8Array, respond: ((bytes: Uint8Array) => void) | null) => void,
  ): () => void {
    const subscription = this.#connection.subscribe(subject, {
      callback: (error, message) => {
        if (error) return;
        const { reply } = message;
        const respond = reply ? (bytes: Uint8Array): void => this.publish(reply, bytes) : null;
        handle(message.data, respond);
      },
    });
    return () => {
      if (!this.#connection.isClosed()) subscription.unsubscribe();
    };
  }

  async close(): Promise<void> {
    if (this.#connection.isClosed()) return;
    // A server that is away takes nothing more.
    const timeout = new Promise<void>((resolve) => {
      setTimeout(resolve, 1000);
    });
    await Promise.race([this.#connection.drain().catch(() => undefined), timeout]);
    await this.#connection.close();
  }
}
