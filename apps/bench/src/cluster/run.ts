import { messageOf } from "../message.js";
import { type ClusterTimes, measureCluster, sizes } from "./measure.js";
import { computedTable } from "./table.js";

/** Measures the suite and prints a table. @returns the exit code */
export async function runClusterSuite(): Promise<number> {
  try {
    const { local, times } = await measureCluster(4, 40);
    const { keys, queryHeads, kvHeads, headDim } = sizes;
    console.log(
      `one token over ${keys} keys, ${queryHeads} heads on ${kvHeads}, headDim ${headDim}, float32; medians in ms\n`,
    );
    console.log(`wasm in this process, one thread: ${local.toFixed(2)}\n`);
    console.log(
      "workers  call   transport and merge  of it, the client's processor time  append of one token",
    );
    for (const { workers, call, transport, client, append } of times) {
      console.log(
        `${String(workers).padEnd(8)} ${call.toFixed(2).padEnd(6)} ${transport.toFixed(2).padEnd(20)} ${client.toFixed(2).padEnd(34)} ${append.toFixed(2)}`,
      );
    }
    console.log(`\n${computedTable(local, clientWork(times))}`);
    console.log("\nworkers share this machine's processors: the table shows costs, and no scaling");
    return 0;
  } catch (error) {
    console.error(`error: ${messageOf(error)}`);
    return 2;
  }
}

/** The client's own work by the calls with fewest and with most parts: what grows with parts, and what does not. */
function clientWork(times: readonly ClusterTimes[]): { perCall: number; perPart: number } {
  const [first, last] = [times[0] as ClusterTimes, times.at(-1) as ClusterTimes];
  const perPart = Math.max(0, last.client - first.client) / (last.workers - first.workers);
  return { perCall: Math.max(0, first.client - first.workers * perPart), perPart };
}
