/** A page in chromium decodes over workers: it comes in through the WebSocket port of the server, as pages must. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { bundle, removeBundles } from "../../heed/test/bundles.js";
import { chromiumPath, closeBrowsers, inPage } from "../../heed/test/page.js";
import { fileIn } from "./identities.js";
import { freePort, missing, type Started, startServer, startWorker } from "./nats.js";

const built = existsSync(fileURLToPath(new URL("../dist/index.js", import.meta.url)));
const reason =
  missing ??
  (existsSync(chromiumPath) ? (built ? null : "nothing is built") : "there is no chromium");

const started: Started[] = [];
const directory = mkdtempSync(join(tmpdir(), "heed-page-"));
afterAll(async () => {
  await closeBrowsers();
  await removeBundles();
  await Promise.all(started.splice(0).map((one) => one.stop()));
  rmSync(directory, { recursive: true });
});

/** An application that appends eight tokens and attends after each: how far off it was, at most, and what it runs on. */
const application = (servers: string): string => `
  import { cluster } from "@heed/backend-cluster";
  import { CheckedCache, numbers, randomTensor } from ${JSON.stringify(fileURLToPath(new URL("calls.ts", import.meta.url)))};
  const decode = async () => {
    const options = { servers: ${JSON.stringify(servers)}, group: "test", replicas: 2, pageSize: 2 };
    const backend = await cluster(options).load();
    const cache = new CheckedCache(backend, [1, 2, 16, 8]);
    const next = numbers(1);
    const query = randomTensor(numbers(7), [1, 4, 1, 8]);
    let worst = 0;
    for (let step = 0; step < 8; step++) {
      await cache.append(next);
      worst = Math.max(worst, (await cache.attend(query)).error);
    }
    const workers = backend.info.notes.filter((note) => note.startsWith("worker ")).length;
    cache.dispose();
    backend.dispose();
    return { worst, workers };
  };
  globalThis.result = decode();`;

for (const worker of [false, true]) {
  const place = worker ? "a worker of a page" : "a page";
  test.skipIf(reason !== null)(
    `${place} decodes over workers${reason ? ` (${reason})` : ""}`,
    async () => {
      const port = await freePort();
      const config = `websocket { host: "127.0.0.1", port: ${port}, no_tls: true }\n`;
      const server = await startServer(undefined, ["-c", fileIn(directory, "server.conf", config)]);
      started.push(server, await startWorker(server.url), await startWorker(server.url));
      const files = mkdtempSync(join(directory, "files-"));
      const made = await bundle("vite", application(`ws://127.0.0.1:${port}`), files);
      const { result } = await inPage(made, { worker });
      const { worst, workers } = result as { worst: number; workers: number };
      expect(workers).toBe(2);
      expect(worst).toBeLessThan(1e-6);
    },
  );
}
