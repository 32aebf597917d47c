import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

/** Path of the NATS server, unless `NATS_SERVER_PATH` names another one. */
export const natsServer: string = process.env.NATS_SERVER_PATH ?? "/usr/sbin/nats-server";

/** Why tests that need a server cannot run; null if they can. */
export const missing: string | null = existsSync(natsServer)
  ? null
  : `no NATS server at ${natsServer}: install nats-server, or name another place with NATS_SERVER_PATH`;

/** Whether a missing server is a failure. */
export const required: boolean = (process.env.HEED_REQUIRE ?? "").split(",").includes("nats");

if (missing && required) throw new Error(missing);

/** A process that a test started. */
export interface Started {
  readonly process: ChildProcess;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

export interface StartedServer extends Started {
  readonly port: number;
  readonly url: string;
}

/** Starts a server, and waits until it takes connections. */
export async function startServer(
  port?: number,
  args: readonly string[] = [],
): Promise<StartedServer> {
  const at = port ?? (await freePort());
  const started = start(natsServer, ["-a", "127.0.0.1", "-p", `${at}`, ...args]);
  await said(started.process, "stderr", "Server is ready");
  return { ...started, port: at, url: `nats://127.0.0.1:${at}` };
}

const command = fileURLToPath(new URL("../bin/heed-worker.js", import.meta.url));

/** Starts a worker in a process of its own, and waits until it is there. */
export async function startWorker(
  servers: string,
  args: readonly string[] = [],
): Promise<Started & { readonly name: string }> {
  const options = ["--servers", servers, "--group", "test", "--backend", "wasm"];
  const all = [command, ...options, "--threads", "1", "--memory", "256MiB", ...args];
  const started = start(process.execPath, all);
  const line = await said(started.process, "stdout", "worker ");
  return { ...started, name: /worker (\w+)/.exec(line)?.[1] as string };
}

function start(program: string, args: readonly string[]): Started {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return {
    process: child,
    ended,
    stop: async (signal = "SIGKILL") => {
      child.kill(signal);
      // A process that was stopped ends when it goes on.
      if (signal === "SIGKILL") child.kill("SIGCONT");
      await ended;
    },
  };
}

/** Waits until a process says something. @throws Error with all that it said, if it ends before */
async function said(
  child: ChildProcess,
  stream: "stdout" | "stderr",
  text: string,
): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = "";
    const listen = (chunk: Buffer): void => {
      output += String(chunk);
      if (output.includes(text)) resolve(output);
    };
    child[stream]?.on("data", listen);
    child[stream === "stdout" ? "stderr" : "stdout"]?.on("data", (chunk) => {
      output += String(chunk);
    });
    child.once("exit", (code) => reject(new Error(`it ended with ${code}: ${output}`)));
  });
}
