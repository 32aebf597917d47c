import { backendNames } from "../contenders/backends.js";
import { peerNames } from "../peers/peers.js";
import { formatNumber } from "../report/format.js";
import { workloads } from "../workloads/select.js";
import { suites } from "../workloads/workload.js";

/** Lists the names that the command line accepts: cases with their sources, backends and peers. */
export function renderList(): string {
  const width = Math.max(...workloads.map(({ id }) => id.length));
  const cases = suites.flatMap((suite) => [
    `cases of suite ${suite}:`,
    ...workloads
      .filter((workload) => workload.suite === suite)
      .map(
        ({ id, title, source, flops }) =>
          `  ${id.padEnd(width)}  ${title}; ${formatNumber(flops / 1e9)} GFLOP\n  ${" ".repeat(width)}  ${source}`,
      ),
  ]);
  return [...cases, `backends: ${backendNames.join(", ")}`, `peers: ${peerNames.join(", ")}`].join(
    "\n",
  );
}
