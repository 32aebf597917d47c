import { readFileSync, writeFileSync } from "node:fs";
import type { MemoryMeter } from "../measure/memory.js";

/**
 * Linux keeps each process's greatest resident size, and forgets it on request: proc_pid_clear_refs(5).
 * Everything in the process counts: JavaScript, wasm memories, threads, native libraries.
 *
 * @returns null on other systems, which keep it without forgetting
 */
export function linuxMemoryMeter(): MemoryMeter | null {
  try {
    resetPeak();
    readKilobytes("VmHWM");
  } catch {
    return null;
  }
  return {
    start: () => {
      resetPeak();
      const before = readKilobytes("VmRSS");
      return () => Math.max(0, readKilobytes("VmHWM") - before) * 1024;
    },
  };
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
