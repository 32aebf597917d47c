import type { CaseSelection } from "@heed/conformance/vitest";
import { testBackend } from "@heed/conformance/vitest";
import { afterAll, test } from "vitest";
import declaration from "../conformance.json" with { type: "json" };
import { cluster } from "../src/index.js";
import { missing, startServer, startWorker } from "./nats.js";
import { withKeysFromHost } from "./resident.js";

/**
 * Registers the conformance suite, or a part of it, with three workers in processes of their own and pages of three keys, so
 * that every call is spread.
 */
export async function testOverWorkers(select?: CaseSelection): Promise<void> {
  if (missing) {
    test.skip(`cluster: ${missing}`, () => undefined);
    return;
  }
  const server = await startServer();
  const workers = await Promise.all([1, 2, 3].map(() => startWorker(server.url)));
  afterAll(async () => {
    await Promise.all(workers.map((worker) => worker.stop()));
    await server.stop();
  });
  const provider = withKeysFromHost(cluster({ servers: server.url, group: "test", pageSize: 3 }));
  testBackend(provider, { declaration, select });
}
