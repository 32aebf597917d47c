import { readFileSync, writeFileSync } from "node:fs";
import { freemem } from "node:os";
import { type MemoryMeter, noMemoryMeter } from "../measure/memory.js";

/**
 * Linux keeps each process's greatest resident size, and forgets it on request: proc_pid_clear_refs(5).
 * Everything in the process counts: JavaScript, wasm memories, threads, native libraries.
 * Other systems keep it without forgetting.
 */
export function processMemoryMeter(): MemoryMeter {
  try {
    resetPeak();
    readKilobytes("VmHWM");
  } catch {
    return noMemoryMeter("only Linux tells a process's peak anew", freemem);
  }
  return {
    free: availableMemory,
    start: () => {
      resetPeak();
      const before = readKilobytes("VmRSS");
      return () => ({
        bytes: Math.max(0, readKilobytes("VmHWM") - before) * 1024,
        of: "the process's resident memory",
      });
    },
  };
}

/** Memory that the system would give, its caches included. `process.availableMemory` knows limits of containers, too. */
function availableMemory(): number {
  const { availableMemory: known } = process as { availableMemory?: () => number };
  return known?.call(process) ?? freemem();
}

function resetPeak(): void {
  writeFileSync("/proc/self/clear_refs", "5");
}

/** A line of `/proc/self/status`. */
function readKilobytes(name: string): number {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(
    readFileSync("/proc/self/status", "utf8"),
  );
  if (!match) throw new Error(`/proc/self/status has no ${name}`);
  return Number(match[1]);
}
