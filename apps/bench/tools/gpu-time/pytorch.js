import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("pytorch.py", import.meta.url));

/**
 * PyTorch's scaled_dot_product_attention on each of its backends, in a process of its own.
 *
 * @param warmMs for which the GPU is kept busy before each measurement
 * @returns `missing`, where there is no Python, no PyTorch or no CUDA; and the results of a workload
 */
export function timePyTorch(python, workloads, runs, warmMs) {
  const none = (missing) => ({ missing, of: () => [] });
  const calls = workloads.map(({ shape, dtype }) => ({ ...shape, dtype }));
  const { error, status, stdout, stderr } = spawnSync(python, [script], {
    input: JSON.stringify({ runs, calls, warm: warmMs / 1000 }),
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  if (error) return none(error.message);
  if (status !== 0) return none(stderr.trim().split("\n").at(-1) ?? `${python} failed`);
  const { missing, device, results } = JSON.parse(stdout);
  if (missing) return none(missing);
  return { device, of: (workload) => results[workloads.indexOf(workload)] };
}
