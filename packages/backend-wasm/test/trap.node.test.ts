import { expect, test } from "vitest";
import type { Kernels } from "../src/module.js";
import { ThreadPool } from "../src/threads/pool.js";

/**
 * A `share` over shared memory that traps once a job has items: `itemCount`, the word at 72.
 *
 *     (func (export "share") (param i32) (if (i32.load offset=72 (i32.const 0)) (then unreachable)))
 */
const trapping = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...[0x01, 0x05, 0x01, 0x60, 0x01, 0x7f, 0x00],
  ...[0x02, 0x10, 0x01, 0x03, 0x65, 0x6e, 0x76, 0x06, 0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79],
  ...[0x02, 0x03, 0x01, 0x01],
  ...[0x03, 0x02, 0x01, 0x00],
  ...[0x07, 0x09, 0x01, 0x05, 0x73, 0x68, 0x61, 0x72, 0x65, 0x00, 0x00],
  ...[0x0a, 0x0d, 0x01, 0x0b, 0x00, 0x41, 0x00, 0x28, 0x02, 0x48],
  ...[0x04, 0x40, 0x00, 0x0b, 0x0b],
);

test("a kernel that traps in a worker is an error, not a wait for ever", async () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const here = { share() {} } as unknown as Kernels;
  const pool = new ThreadPool(new WebAssembly.Module(trapping), memory, here, 2);
  pool.start();
  await pool.ready;
  await expect.poll(() => pool.isReady).toBe(true);
  const job = { descriptor: 0, items: 1, threads: 2, workspace: 0, workspaceBytes: 0 };
  expect(() => pool.run(job)).toThrow("trapped");
  expect(() => pool.run(job)).toThrow("have ended");
});
