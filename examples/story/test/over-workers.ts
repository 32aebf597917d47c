/** The trained model writes over a cluster: its keys and values lie with three workers in processes of their own. */
import { cluster } from "@heed/backend-cluster";
import { createAttention, wasm } from "heed";
import { expect, test } from "vitest";
import { missing, startServer, startWorker } from "../../../packages/backend-cluster/test/nats.js";
import { decode, folder, kinds, published } from "./stories.js";

/** Registers the test that the first so many tokens are the published ones. */
export function testOverWorkers(tokens: number): void {
  const why = missing ? ` (${missing})` : "";
  test.skipIf(folder === null || missing !== null)(
    `the first ${tokens} tokens are written over three workers${why}`,
    { timeout: 300_000 },
    async () => {
      const server = await startServer();
      const workers = await Promise.all([1, 2, 3].map(() => startWorker(server.url)));
      try {
        const group = { servers: server.url, group: "test", pageSize: 4 };
        const provider = cluster({ ...group, local: wasm({ threads: 1 }) });
        const attention = await createAttention({ backends: [provider] });
        const { weights, ids } = await published();
        const expected = ids.slice(0, tokens);
        for (const kind of ["static", "paged"] as const) {
          const choice = kinds[kind]?.(weights.length);
          const written = await decode(
            attention,
            weights,
            choice as never,
            "token by token",
            expected,
          );
          expect(written).toEqual(expected);
        }
        await attention.dispose();
      } finally {
        await Promise.all(workers.map((worker) => worker.stop()));
        await server.stop();
      }
    },
  );
}
