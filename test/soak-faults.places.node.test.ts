/** Attentions that fail while they compute, in earnest: see `tools/soak/faults.js`. Needs `pnpm build`. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

interface Measured {
  /** Why the fault cannot be inflicted here. */
  readonly missing?: string;
  /** How often calls ended in each way. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Threads that are left. */
  readonly threads: number;
}

const script = fileURLToPath(new URL("../tools/soak/faults.js", import.meta.url));
const required = (process.env.HEED_REQUIRE ?? "").split(",").includes("webgpu");

test.each([
  ["worker killed", 9, ["computed by js", "computed by wasm"]],
  ["call aborted", 9, ["AbortError", "computed by js"]],
  ["attention disposed", 9, ["BackendError", "DisposedError", "computed by js"]],
  ["device destroyed", 3, ["computed by webgpu", "computed by reference"]],
] as const)("%s: every call ends well, and no thread is left", async (fault, rounds, ways) => {
  const settings = JSON.stringify({ rounds, fault });
  const options = ["--expose-gc", script, settings];
  const { stdout } = await promisify(execFile)(process.execPath, options);
  const measured = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Measured;
  if (measured.missing !== undefined && !required) return;
  expect(measured.missing).toBeUndefined();
  const { outcomes, threads } = measured;
  expect(ways).toEqual(expect.arrayContaining(Object.keys(outcomes)));
  expect(Object.values(outcomes).reduce((sum, count) => sum + count, 0)).toBe(rounds);
  expect(threads).toBe(0);
});
