// Knowledge that a process of the trial leaves for the next one, which takes its place when a mutant hangs.
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const path = process.env.HEED_MUTANTS_STATE;

/** @returns what an earlier process has left, or null */
export function readState() {
  return path && existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : null;
}

/** @param {object} state as JSON */
export function writeState(state) {
  if (path) writeFileSync(path, JSON.stringify(state));
}
