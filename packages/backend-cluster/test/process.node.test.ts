/** Workers in processes of their own, and the ways to reach them: TCP with a token, and WebSockets. */
import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Backend } from "@heed/core";
import { afterEach, expect, test } from "vitest";
import { type ClusterOptions, cluster } from "../src/index.js";
import { CheckedCache, numbers, randomTensor } from "./calls.js";
import { freePort, missing, type Started, startServer, startWorker } from "./nats.js";

const query = randomTensor(numbers(7), [1, 4, 1, 8]);
const why = missing ? ` (${missing})` : "";

const started: Started[] = [];
const backends: Backend[] = [];
afterEach(async () => {
  for (const backend of backends.splice(0)) backend.dispose();
  await Promise.all(started.splice(0).map((one) => one.stop()));
});

async function connect(options: ClusterOptions): Promise<Backend> {
  const backend = await cluster({ group: "test", pageSize: 2, ...options }).load();
  backends.push(backend);
  return backend;
}

/** The farthest that eight steps of decoding are from the reference. */
async function decode(backend: Backend): Promise<number> {
  const cache = new CheckedCache(backend, [1, 2, 16, 8]);
  const next = numbers(1);
  let worst = 0;
  for (let step = 0; step < 8; step++) {
    await cache.append(next);
    worst = Math.max(worst, (await cache.attend(query)).error);
  }
  cache.dispose();
  return worst;
}

/** Reads all that a process writes to its standard output from now on. */
function outputOf({ process }: Started): () => string {
  let output = "";
  process.stdout?.on("data", (chunk) => {
    output += String(chunk);
  });
  return () => output;
}

test.skipIf(missing !== null)(
  `a worker with a token serves metrics, and hands its parts over when it is told to end${why}`,
  async () => {
    const server = await startServer(undefined, ["--auth", "secret"]);
    started.push(server);
    const port = await freePort();
    const secret = ["--token", "secret"];
    const first = await startWorker(server.url, [...secret, "--metrics", `${port}`]);
    const second = await startWorker(server.url, secret);
    started.push(first, second);
    const said = outputOf(first);

    await expect(connect({ servers: server.url })).rejects.toThrow(/uthorization/);
    const backend = await connect({ servers: server.url, credentials: { token: "secret" } });
    const cache = new CheckedCache(backend, [1, 2, 16, 8]);
    const next = numbers(1);
    for (let step = 0; step < 6; step++) await cache.append(next);
    expect((await cache.attend(query)).error).toBeLessThan(1e-5);

    const metrics = await (await fetch(`http://127.0.0.1:${port}/`)).text();
    for (const line of metrics.trim().split("\n")) expect(line).toMatch(/^\w+\{.*\} [\d.e+-]+$/);
    expect(metrics).toContain(`heed_worker_parts{worker="${first.name}"}`);
    expect(metrics).toMatch(/heed_worker_requests_total\{worker="\w+",kind="write"\} [1-9]/);

    await first.stop("SIGTERM");
    expect(first.process.exitCode).toBe(0);
    expect(said()).toContain("left: others have every part");
    await cache.append(next);
    expect((await cache.attend(query)).error).toBeLessThan(1e-5);
    cache.dispose();
  },
);

test.skipIf(missing !== null)(
  `float16 on the way costs its precision and no more${why}`,
  async () => {
    const server = await startServer();
    started.push(server, await startWorker(server.url), await startWorker(server.url));
    expect(await decode(await connect({ servers: server.url }))).toBeLessThan(1e-6);
    const half = await decode(await connect({ servers: server.url, precision: "float16" }));
    // Values are at most 1: half a unit in the last place of float16, of queries and of outputs.
    expect(half).toBeGreaterThan(1e-6);
    expect(half).toBeLessThan(2e-3);
  },
);

// Node has WebSocket from version 22 on.
test.skipIf(missing !== null || globalThis.WebSocket === undefined)(
  `a client comes in over WebSockets, as browsers do${why}`,
  async () => {
    const directory = await mkdtemp(join(tmpdir(), "heed-nats-"));
    const port = await freePort();
    const config = join(directory, "server.conf");
    await writeFile(config, `websocket { host: "127.0.0.1", port: ${port}, no_tls: true }\n`);
    const server = await startServer(undefined, ["-c", config]);
    started.push(server, await startWorker(server.url));
    const backend = await connect({ servers: `ws://127.0.0.1:${port}` });
    expect(await decode(backend)).toBeLessThan(1e-6);
    await rm(directory, { recursive: true });
  },
);

test("a worker's command names the argument that is wrong", async () => {
  const command = fileURLToPath(new URL("../bin/heed-worker.js", import.meta.url));
  const run = promisify(execFile);
  for (const [args, text] of [
    [["--memory", "much"], /--memory.*such as 512MiB/],
    [["--metrics", "-1"], /--metrics|arguments/],
    [["--group", "a b"], /group.*letters/],
    [["--nonsense"], /arguments/],
  ] as const) {
    await expect(run(process.execPath, [command, ...args])).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringMatching(text),
    });
  }
  const { stdout } = await run(process.execPath, [command, "--help"]);
  expect(stdout).toMatch(/^usage: heed-worker/);
});

test.skipIf(missing !== null)(
  `a worker whose backend cannot work says so and ends${why}`,
  async () => {
    const server = await startServer();
    started.push(server);
    const directory = await mkdtemp(join(tmpdir(), "heed-backend-"));
    const backend = join(directory, "backend.mjs");
    const load = "async () => { throw new Error('there is no device') }";
    await writeFile(backend, `export default () => ({ name: "broken", load: ${load} });`);
    const command = fileURLToPath(new URL("../bin/heed-worker.js", import.meta.url));
    const args = [command, "--servers", server.url, "--backend", backend];
    await expect(
      promisify(execFile)(process.execPath, args, { timeout: 20_000 }),
    ).rejects.toMatchObject({ code: 1, stderr: expect.stringMatching(/there is no device/) });
    await rm(directory, { recursive: true });
  },
);

test.skipIf(missing !== null)(
  `the repository's command starts a server with three workers, and ends them when it is interrupted${why}`,
  async () => {
    const command = fileURLToPath(new URL("../../../tools/workers.js", import.meta.url));
    const port = await freePort();
    const options = ["--port", `${port}`, "--group", "test", "--threads", "1"];
    const all = spawn(process.execPath, [command, ...options], { stdio: "pipe" });
    const ended = new Promise<number | null>((resolve) => all.once("exit", resolve));
    try {
      let said = "";
      all.stdout.on("data", (chunk) => {
        said += String(chunk);
      });
      await expect.poll(() => said.match(/^worker /gm)?.length, { timeout: 30_000 }).toBe(3);
      const backend = await connect({ servers: `nats://127.0.0.1:${port}`, replicas: 3 });
      expect(await decode(backend)).toBeLessThan(1e-6);
    } finally {
      all.kill("SIGINT");
    }
    expect(await ended).toBe(0);
    // Nobody listens there any more.
    const server = await startServer(port);
    await server.stop();
  },
);
