import { availableParallelism, cpus, totalmem } from "node:os";
import type { Environment } from "../report/report.js";

/** The machine and the runtime that this process runs on. */
export function nodeEnvironment(): Environment {
  const { node = process.version, v8 } = process.versions;
  return {
    name: "node",
    date: new Date().toISOString(),
    versions: { node, ...(v8 && { v8 }) },
    cpu: cpus()[0]?.model.trim() ?? null,
    cores: availableParallelism(),
    platform: `${process.platform} ${process.arch}`,
    memory: totalmem(),
  };
}
