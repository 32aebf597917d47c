import { testBackend } from "@heed/conformance/vitest";
import { afterAll, test } from "vitest";
import { scope } from "../../../test/select.js";
import declaration from "../conformance.json" with { type: "json" };
import { cluster } from "../src/index.js";
import { missing, startServer, startWorker } from "./nats.js";
import { withKeysFromHost } from "./resident.js";

// Three workers in processes of their own, and pages of three keys, so that every call is spread.
if (missing) {
  test.skip(`cluster: ${missing}`, () => undefined);
} else {
  const server = await startServer();
  const workers = await Promise.all([1, 2, 3].map(() => startWorker(server.url)));
  afterAll(async () => {
    await Promise.all(workers.map((worker) => worker.stop()));
    await server.stop();
  });
  const provider = withKeysFromHost(cluster({ servers: server.url, group: "test", pageSize: 3 }));
  testBackend(provider, {
    declaration,
    ...(scope === "all" ? {} : { profile: "core" as const }),
  });
}
