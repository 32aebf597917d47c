/** Who connects, and how messages are kept from others: real servers with users, keys, accounts and certificates. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Backend } from "@heed/core";
import { credsAuthenticator, nkeyAuthenticator, nkeys } from "@nats-io/nats-core";
import { afterEach, expect, test } from "vitest";
import { type ClusterOptions, cluster } from "../src/index.js";
import { CheckedCache, numbers, randomTensor } from "./calls.js";
import { certificate, fileIn, operatorWithUser, seedOf } from "./identities.js";
import { missing, type Started, type StartedServer, startServer, startWorker } from "./nats.js";

const started: Started[] = [];
const directories: string[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((one) => one.stop()));
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "heed-nats-"));
  directories.push(directory);
  return directory;
}

async function serverWith(directory: string, config: string): Promise<StartedServer> {
  const server = await startServer(undefined, ["-c", fileIn(directory, "server.conf", config)]);
  started.push(server);
  return server;
}

/** Connects and decodes over one worker. */
async function decode(
  server: StartedServer,
  worker: readonly string[],
  options: ClusterOptions,
  url = server.url,
): Promise<void> {
  started.push(await startWorker(url, worker));
  const backend: Backend = await cluster({ group: "test", servers: url, ...options }).load();
  const cache = new CheckedCache(backend, [1, 2, 16, 8]);
  const next = numbers(1);
  for (let step = 0; step < 3; step++) await cache.append(next);
  const query = randomTensor(next, [1, 4, 1, 8]);
  expect((await cache.attend(query)).error).toBeLessThan(1e-6);
  cache.dispose();
  backend.dispose();
}

/** A client with other options is turned away. */
async function turnsAway(server: StartedServer, options: ClusterOptions): Promise<void> {
  const loading = cluster({ group: "test", servers: server.url, ...options }).load();
  await expect(loading).rejects.toMatchObject({ code: "backend-unavailable" });
}

const openssl = hasOpenSsl();
function hasOpenSsl(): boolean {
  try {
    execFileSync("openssl", ["version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

const why = missing ? ` (${missing})` : "";

test.skipIf(missing !== null)(`a user with a password${why}`, async () => {
  const config = 'authorization { users = [ { user: "heed", password: "secret" } ] }\n';
  const server = await serverWith(newDirectory(), config);
  await turnsAway(server, {});
  await turnsAway(server, { credentials: { user: "heed", pass: "wrong" } });
  const worker = ["--user", "heed", "--password", "secret"];
  await decode(server, worker, { credentials: { user: "heed", pass: "secret" } });
});

test.skipIf(missing !== null)(`an NKey${why}`, async () => {
  const directory = newDirectory();
  const user = nkeys.createUser();
  const config = `authorization { users = [ { nkey: ${user.getPublicKey()} } ] }\n`;
  const server = await serverWith(directory, config);
  const stranger = nkeyAuthenticator(nkeys.createUser().getSeed());
  await turnsAway(server, { credentials: { authenticator: stranger } });
  const worker = ["--nkey", fileIn(directory, "user.nk", `${seedOf(user)}\n`)];
  const authenticator = nkeyAuthenticator(user.getSeed());
  await decode(server, worker, { credentials: { authenticator } });
});

test.skipIf(missing !== null)(`a JWT of an account${why}`, async () => {
  const directory = newDirectory();
  const own = operatorWithUser();
  const server = await serverWith(directory, own.config);
  const of = (text: string) => credsAuthenticator(new TextEncoder().encode(text));
  await turnsAway(server, { credentials: { authenticator: of(operatorWithUser().credentials) } });
  const worker = ["--creds", fileIn(directory, "user.creds", own.credentials)];
  await decode(server, worker, { credentials: { authenticator: of(own.credentials) } });
});

test.skipIf(missing !== null || !openssl)(
  `TLS, with certificates of the server and of clients${why}`,
  async () => {
    const directory = newDirectory();
    const own = certificate(directory, "server");
    const client = certificate(directory, "client");
    const files = `cert_file: "${own.cert}", key_file: "${own.key}", ca_file: "${client.cert}"`;
    const server = await serverWith(directory, `tls { ${files}, verify: true }\n`);
    const url = `tls://localhost:${server.port}`;
    // Without the certificate that signed the server's, and without one of the client.
    await turnsAway(server, {});
    await turnsAway(server, { tls: { caFile: own.cert } });
    const worker = ["--tls-ca", own.cert, "--tls-cert", client.cert, "--tls-key", client.key];
    const tls = { caFile: own.cert, certFile: client.cert, keyFile: client.key };
    await decode(server, worker, { tls }, url);
  },
);
