/**
 * Workers and the server are killed, stopped and started anew at random while a cache with two replicas is decoded
 * from. `HEED_FAULT_STEPS=2000` sets the number of steps and `HEED_FAULT_SEED` another course of events.
 */
import { isHeedError } from "@heed/core";
import { expect, test } from "vitest";
import { scope } from "../../../test/select.js";
import { cluster } from "../src/index.js";
import { CheckedCache, numbers, randomTensor } from "./calls.js";
import { missing, type StartedServer, startServer, startWorker } from "./nats.js";

const steps = Number(process.env.HEED_FAULT_STEPS ?? (scope === "all" ? 2000 : 40));
const seed = Number(process.env.HEED_FAULT_SEED ?? 1);
const deadline = 8000;
/** Time for timers and for the machine's other work. */
const grace = 4000;
const tolerance = 1e-4;

type RunningWorker = Awaited<ReturnType<typeof startWorker>>;

test.skipIf(missing !== null)(
  `${steps} steps of decoding while workers and the server fail${missing ? ` (${missing})` : ""}`,
  { timeout: 60_000 + 1000 * steps },
  async () => {
    let server: StartedServer = await startServer();
    const url = server.url;
    const start = (): Promise<RunningWorker> => startWorker(url, ["--lease", "20000"]);
    const workers: RunningWorker[] = await Promise.all([1, 2, 3, 4].map(start));
    const provider = cluster({ servers: url, group: "test", replicas: 2, deadline, pageSize: 4 });
    const backend = await provider.load();
    const next = numbers(seed);
    const query = randomTensor(numbers(7), [1, 4, 1, 16]);
    const capacity = 64;
    let cache = new CheckedCache(backend, [1, 2, capacity, 16]);
    let exact = 0;
    const errors: string[] = [];
    const stopped = new Set<RunningWorker>();

    /** Something happens to the group; one thing at a time, so that one replica of each part is left. */
    const fail = async (): Promise<void> => {
      const which = workers[Math.floor(((next() + 1) / 2) * workers.length)] as RunningWorker;
      const kind = Math.floor((next() + 1) * 2);
      if (kind === 0) {
        await which.stop("SIGKILL");
        workers[workers.indexOf(which)] = await start();
      } else if (kind === 1) {
        which.process.kill("SIGSTOP");
        stopped.add(which);
      } else if (kind === 2) {
        await which.stop("SIGTERM");
        workers[workers.indexOf(which)] = await start();
      } else {
        await server.stop("SIGKILL");
        server = await startServer(server.port);
      }
    };
    const goOn = (): void => {
      for (const worker of stopped) worker.process.kill("SIGCONT");
      stopped.clear();
    };

    try {
      for (let step = 0; step < steps; step++) {
        if (step % 20 === 10) await fail();
        if (step % 20 === 0) goOn();
        const begin = performance.now();
        try {
          if (cache.length === capacity) {
            cache.dispose();
            cache = new CheckedCache(backend, [1, 2, capacity, 16]);
          }
          await cache.append(next);
          expect((await cache.attend(query)).error).toBeLessThan(tolerance);
          exact += 1;
        } catch (error) {
          if (!isHeedError(error)) throw error;
          errors.push(`step ${step}: ${error.code}: ${error.message}`);
          cache.dispose();
          cache = new CheckedCache(backend, [1, 2, capacity, 16]);
        }
        // Three calls, each with a deadline of its own.
        expect(performance.now() - begin).toBeLessThan(3 * deadline + grace);
      }
      goOn();
      cache.dispose();
      console.log(`${exact} steps exact, ${errors.length} errors${["", ...errors].join("\n")}`);
      // Two replicas survive one loss at a time: errors are for what comes before the copy is done.
      expect(exact).toBeGreaterThan(0.8 * steps);
      await expect
        .poll(() => (backend.info.notes ?? []).every((note) => note.includes(" 0 parts, 0 of ")), {
          timeout: 40_000,
          interval: 200,
        })
        .toBe(true);
    } finally {
      goOn();
      backend.dispose();
      await Promise.all(workers.map((worker) => worker.stop()));
      await server.stop();
    }
  },
);
