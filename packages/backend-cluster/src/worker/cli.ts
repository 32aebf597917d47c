import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { InvalidInputError, isHeedError, type Provider } from "@heed/core";
import { checkGroup } from "../options.js";
import { connectNats, type NatsOptions } from "../transport/nats.js";
import { Worker } from "./worker.js";

const usage = `usage: heed-worker [options]

  --servers ADDRESSES   of NATS, separated by commas       (nats://127.0.0.1:4222)
  --group NAME          of workers that share caches       (default)
  --backend NAME        of the package @heed/backend-NAME, or the path of a module   (wasm)
  --memory SIZE         that parts may take, such as 8GiB  (1GiB)
  --threads NUMBER      that compute, for backends that take it
  --creds FILE          credentials of NATS: a JWT with its key
  --nkey FILE           seed of an NKey
  --token TOKEN, --user NAME, --password PASSWORD          who connects
  --tls-ca FILE, --tls-cert FILE, --tls-key FILE           demand TLS
  --metrics PORT        serves metrics as text on 127.0.0.1
  --leave-within MS     that others have to copy its parts when it is told to end    (30000)
  --lease MS            after which parts of a client that is silent are given back  (600000)

SIGTERM and SIGINT make it leave: its parts are copied to other workers first.
`;

/** Starts a worker, and resolves when it has left. @returns the exit code */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const options = read(args);
    if (options === null) {
      process.stdout.write(usage);
      return 0;
    }
    await serve(options);
    return 0;
  } catch (error) {
    process.stderr.write(`heed-worker: ${error instanceof Error ? error.message : error}\n`);
    return isHeedError(error, "invalid-input") ? 2 : 1;
  }
}

interface CommandOptions {
  readonly nats: NatsOptions;
  readonly group: string;
  readonly backend: string;
  readonly memoryBytes: number;
  readonly threads: number | undefined;
  readonly creds: string | undefined;
  readonly nkey: string | undefined;
  readonly metricsPort: number | undefined;
  readonly leaveWithin: number;
  readonly lease: number;
}

function read(args: readonly string[]): CommandOptions | null {
  const text = { type: "string" } as const;
  const { values } = parse(args, {
    ...{
      servers: text,
      group: text,
      backend: text,
      memory: text,
      threads: text,
      creds: text,
      nkey: text,
    },
    ...{ token: text, user: text, password: text, metrics: text, lease: text },
    ...{ "tls-ca": text, "tls-cert": text, "tls-key": text, "leave-within": text },
    help: { type: "boolean" },
  });
  if (values.help) return null;
  const group = values.group ?? "default";
  checkGroup(group);
  const { token, user, password } = values;
  const files = {
    ...(values["tls-ca"] && { caFile: values["tls-ca"] }),
    ...(values["tls-cert"] && { certFile: values["tls-cert"] }),
    ...(values["tls-key"] && { keyFile: values["tls-key"] }),
  };
  return {
    nats: {
      servers: (values.servers ?? "nats://127.0.0.1:4222").split(","),
      name: `heed-worker ${group}`,
      credentials: { ...(token && { token }), ...(user && { user, pass: password ?? "" }) },
      ...(Object.keys(files).length > 0 && { tls: files }),
    },
    group,
    backend: values.backend ?? "wasm",
    memoryBytes: readSize(values.memory ?? "1GiB"),
    threads: values.threads === undefined ? undefined : readCount("--threads", values.threads),
    creds: values.creds,
    nkey: values.nkey,
    metricsPort: values.metrics === undefined ? undefined : readCount("--metrics", values.metrics),
    leaveWithin: readCount("--leave-within", values["leave-within"] ?? "30000"),
    lease: readCount("--lease", values.lease ?? "600000"),
  };
}

type TextOptions = Readonly<Record<string, { readonly type: "string" | "boolean" }>>;

function parse<O extends TextOptions>(
  args: readonly string[],
  options: O,
): { values: { [Name in keyof O]?: O[Name]["type"] extends "string" ? string : boolean } } {
  try {
    return parseArgs({ args: [...args], options, strict: true }) as never;
  } catch (error) {
    throw new InvalidInputError("arguments", "those that --help lists", (error as Error).message);
  }
}

function readCount(argument: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new InvalidInputError(argument, "an integer ≥ 0", JSON.stringify(text));
}

const units: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** Bytes of a size such as `512MiB`. */
export function readSize(text: string): number {
  const [, number = "", unit = "B"] = /^(\d+(?:\.\d+)?)(B|KiB|MiB|GiB|TiB)?$/.exec(text) ?? [];
  const bytes = Math.floor(Number(number) * (units[unit] as number));
  if (number !== "" && Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  throw new InvalidInputError("--memory", "a size such as 512MiB or 8GiB", JSON.stringify(text));
}

async function serve(options: CommandOptions): Promise<void> {
  const provider = await importProvider(options.backend, options.threads);
  const transport = await connectNats(await withCredentials(options));
  const { group, memoryBytes, lease } = options;
  const starting = Worker.start(transport, { provider, group, memoryBytes, lease });
  // An open connection would keep the process from ending.
  starting.catch(() => transport.close());
  const worker = await starting;
  const metrics =
    options.metricsPort === undefined ? null : serveMetrics(worker, options.metricsPort);
  process.stdout.write(
    `worker ${worker.name} of group ${group}: ${worker.beat.backend} on ${worker.beat.device}, ${memoryBytes} bytes\n`,
  );
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
  });
  await leave(worker, options.leaveWithin);
  metrics?.close();
}

/** Waits until others have copied the parts of a worker, and ends it. */
async function leave(worker: Worker, within: number): Promise<void> {
  worker.announceLeaving();
  const until = performance.now() + within;
  while (worker.beat.parts > 0 && performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { parts } = worker.beat;
  process.stdout.write(
    parts === 0 ? "left: others have every part\n" : `left with ${parts} parts that nobody took\n`,
  );
  await worker.close();
}

async function withCredentials({ nats, creds, nkey }: CommandOptions): Promise<NatsOptions> {
  if (creds === undefined && nkey === undefined) return nats;
  const { credsAuthenticator, nkeyAuthenticator } = await import("@nats-io/nats-core");
  const authenticator =
    creds !== undefined
      ? credsAuthenticator(await readFile(creds))
      : nkeyAuthenticator(
          new TextEncoder().encode((await readFile(nkey as string, "utf8")).trim()),
        );
  return { ...nats, credentials: { ...nats.credentials, authenticator } };
}

/** The provider of a backend's package, looked up from the working directory, or of a module. */
async function importProvider(name: string, threads: number | undefined): Promise<Provider> {
  const isPath = /[./\\]/.test(name);
  const from = createRequire(pathToFileURL(resolve("package.json")));
  const module: Record<string, unknown> = isPath
    ? await import(pathToFileURL(resolve(name)).href)
    : await importPackage(from, `@heed/backend-${name}`);
  const identifier = name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
  const make = module[identifier] ?? module.default ?? Object.values(module)[0];
  if (typeof make !== "function") {
    throw new InvalidInputError("--backend", "a module that exports a backend's function", name);
  }
  return make(threads === undefined ? undefined : { threads });
}

async function importPackage(
  from: NodeJS.Require,
  specifier: string,
): Promise<Record<string, unknown>> {
  let file: string;
  try {
    file = from.resolve(specifier);
  } catch (cause) {
    const expected = `the name of an installed backend (npm install ${specifier})`;
    throw new InvalidInputError("--backend", expected, specifier, { cause });
  }
  return import(pathToFileURL(file).href);
}

function serveMetrics(worker: Worker, port: number): Server {
  const server = createServer((_, response) => {
    response.setHeader("content-type", "text/plain; version=0.0.4");
    response.end(worker.metrics.text(worker.beat));
  });
  server.listen(port, "127.0.0.1");
  return server;
}
