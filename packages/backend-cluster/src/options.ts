import { describeValue, InvalidInputError, type Provider } from "@heed/core";
import type { ClusterSettings } from "./client/cluster.js";
import type { Credentials, NatsOptions } from "./transport/nats.js";
import type { Transport } from "./transport/transport.js";

/** How to reach a group of workers, and how to use it. */
export interface ClusterOptions {
  /**
   * Addresses of NATS servers: `nats://host:4222` or `tls://…` in Node and Bun, `ws://…` or `wss://…` anywhere. Default
   * `nats://127.0.0.1:4222`.
   */
  readonly servers?: string | readonly string[] | undefined;
  /** Name of the group, of letters, digits, `-` and `_`. Default `"default"`. */
  readonly group?: string | undefined;
  /** Workers that hold each part, ≥ 1. With 2, any one worker may be lost. Default 1. */
  readonly replicas?: number | undefined;
  /** Who connects, as NATS's connection options say it: user and pass, token, or an authenticator. */
  readonly credentials?: Credentials | undefined;
  /** TLS options of @nats-io/transport-node, such as `{ caFile }`; `{}` demands TLS. Default: as the servers ask. */
  readonly tls?: NatsOptions["tls"] | undefined;
  /**
   * Milliseconds that a call of attention or of scatter may take, and each message of an upload or a read. Default
   * 10,000.
   */
  readonly deadline?: number | undefined;
  /**
   * `"float16"`: float32 queries and outputs travel as float16, in half as many bytes and with its precision. Default
   * `"exact"`: as they are.
   */
  readonly precision?: "exact" | "float16" | undefined;
  /**
   * Computes in this process what workers do not: merging, rotary embedding, projections and norms. Default: the float64
   * reference, which is slow. The backend disposes it.
   */
  readonly local?: Provider | undefined;
  /** Keys that lie next to each other on one worker, at most. Default 256. */
  readonly pageSize?: number | undefined;
  /** A connection that exists already, in place of `servers`, `credentials` and `tls`; the backend closes it. */
  readonly connect?: (() => Promise<Transport>) | undefined;
}

const names: ReadonlySet<string> = new Set([
  ...["servers", "group", "replicas", "credentials", "tls", "deadline", "precision"],
  ...["local", "pageSize", "connect"],
]);

/** The options with their defaults. */
export interface ReadOptions {
  readonly nats: NatsOptions;
  readonly settings: ClusterSettings;
  readonly local: Provider | undefined;
  readonly connect: (() => Promise<Transport>) | undefined;
}

/** @throws InvalidInputError naming the option at fault */
export function readOptions(options: ClusterOptions): ReadOptions {
  for (const name of Object.keys(options)) {
    if (names.has(name)) continue;
    throw new InvalidInputError(`options.${name}`, `only ${[...names].join(", ")}`, name);
  }
  const { servers = "nats://127.0.0.1:4222", group = "default", credentials, tls } = options;
  const { replicas = 1, deadline = 10_000, precision = "exact", pageSize = 256 } = options;
  const list = typeof servers === "string" ? [servers] : servers;
  if (!Array.isArray(list) || list.length === 0 || list.some((one) => typeof one !== "string")) {
    throw new InvalidInputError("servers", "addresses of NATS servers", describeValue(servers));
  }
  checkGroup(group);
  checkCount("replicas", replicas);
  checkCount("deadline", deadline);
  checkCount("pageSize", pageSize);
  if (precision !== "exact" && precision !== "float16") {
    throw new InvalidInputError("precision", '"exact" or "float16"', describeValue(precision));
  }
  if (options.local !== undefined && typeof options.local?.load !== "function") {
    const expected = "a provider, such as wasm() of @heed/backend-wasm";
    throw new InvalidInputError("local", expected, describeValue(options.local));
  }
  return {
    nats: { servers: list, credentials, tls, name: `heed ${group}` },
    settings: {
      ...{ group, replicas, deadline, pageSize },
      halfPrecision: precision === "float16",
      patience: Math.min(500, deadline / 4),
    },
    local: options.local,
    connect: options.connect,
  };
}

/** @throws InvalidInputError unless it is a name that subjects may have */
export function checkGroup(group: unknown): asserts group is string {
  if (typeof group === "string" && /^[A-Za-z0-9_-]{1,64}$/.test(group)) return;
  throw new InvalidInputError("group", "1 to 64 letters, digits, - and _", describeValue(group));
}

function checkCount(argument: string, value: unknown): void {
  if (Number.isSafeInteger(value) && (value as number) >= 1) return;
  throw new InvalidInputError(argument, "an integer ≥ 1", describeValue(value));
}
