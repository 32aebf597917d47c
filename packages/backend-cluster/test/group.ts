import { js } from "@heed/backend-js";
import type { Provider } from "@heed/core";
import { type ClusterOptions, cluster } from "../src/index.js";
import { Worker, type WorkerOptions } from "../src/worker.js";
import { Network } from "./network.js";

/** Workers in this process and a network between them and a client. */
export interface Group {
  readonly network: Network;
  readonly workers: Worker[];
  provider(options?: ClusterOptions): Provider;
  start(options?: Partial<WorkerOptions>): Promise<Worker>;
  close(): Promise<void>;
}

export async function startGroup(
  count: number,
  options: Partial<WorkerOptions> = {},
  network: Network = new Network(),
): Promise<Group> {
  const workers: Worker[] = [];
  const start = async (more: Partial<WorkerOptions> = {}): Promise<Worker> => {
    const worker = await Worker.start(network.connect(), {
      ...{ provider: js(), group: "test", memoryBytes: 2 ** 28, beatEvery: 50 },
      ...options,
      ...more,
    });
    workers.push(worker);
    return worker;
  };
  for (let i = 0; i < count; i++) await start();
  return {
    network,
    workers,
    start,
    provider: (own = {}) =>
      cluster({ group: "test", pageSize: 3, connect: async () => network.connect(), ...own }),
    close: async () => {
      await Promise.all(workers.map((worker) => worker.close()));
    },
  };
}
