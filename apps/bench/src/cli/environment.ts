import { availableParallelism, cpus, totalmem } from "node:os";
import type { Environment } from "../report/report.js";

/** The machine and the runtime that this process runs on. */
export function nodeEnvironment(): Environment {
  const { node = process.version, v8, deno, bun, webkit } = process.versions;
  // Deno and Bun say which version of Node they imitate: that is not what runs.
  const versions = {
    ...(deno ? { deno } : bun ? { bun } : { node }),
    ...(webkit ? { webkit } : v8 && { v8 }),
  };
  return {
    name: deno ? "deno" : bun ? "bun" : "node",
    date: new Date().toISOString(),
    versions,
    cpu: cpus()[0]?.model.trim() ?? null,
    cores: availableParallelism(),
    platform: `${process.platform} ${process.arch}`,
    memory: totalmem(),
  };
}
