import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Names of the groups that share a server: workers that compute, and workers that answer at once. */
export const groups = { computing: "bench", atOnce: "bench-at-once" } as const;

/** A server of NATS on this machine, with workers of two groups in processes of their own. */
export interface LocalGroups {
  readonly url: string;
  /** Starts one more worker of each group, and waits until they are there. */
  start(): Promise<void>;
  /** Ends all processes. */
  stop(): void;
}

const natsServer = process.env.NATS_SERVER_PATH ?? "/usr/sbin/nats-server";

/** @throws Error (rejects) that says what is missing */
export async function startLocalGroups(): Promise<LocalGroups> {
  if (!existsSync(natsServer)) {
    throw new Error(
      `no NATS server at ${natsServer}: install nats-server, or name another place with NATS_SERVER_PATH`,
    );
  }
  const port = await freePort();
  const url = `nats://127.0.0.1:${port}`;
  const started: ChildProcess[] = [];
  const start = async (program: string, args: readonly string[], text: string): Promise<void> => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    started.push(child);
    await said(child, text);
  };
  await start(natsServer, ["-a", "127.0.0.1", "-p", `${port}`], "Server is ready");
  const entry = createRequire(import.meta.url).resolve("@heed/backend-cluster");
  const worker = join(dirname(entry), "../bin/heed-worker.js");
  const startWorker = (group: string, backend: string): Promise<void> => {
    const options = ["--servers", url, "--group", group, "--backend", backend, "--threads", "1"];
    return start(process.execPath, [worker, ...options, "--memory", "2GiB"], "worker ");
  };
  return {
    url,
    start: async () => {
      await startWorker(groups.computing, "wasm");
      await startWorker(groups.atOnce, fileURLToPath(new URL("at-once.js", import.meta.url)));
    },
    stop: () => {
      for (const child of started) child.kill("SIGKILL");
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { readonly port: number };
      server.close(() => resolve(port));
    });
  });
}

/** Waits until a process says something. */
function said(child: ChildProcess, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk) => {
        output += String(chunk);
        if (output.includes(text)) resolve();
      });
    }
    child.once("exit", (code) => reject(new Error(`a process ended with ${code}: ${output}`)));
  });
}
