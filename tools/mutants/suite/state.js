// Knowledge that a process of the trial leaves for the next one, which takes its place when a mutant hangs.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const directory = process.env.HEED_MUTANTS_STATE;
const pathOf = (part) => join(directory, `${part}.json`);

/**
 * @param {string} part whose knowledge it is
 * @returns what an earlier process has left, or null
 */
export function readState(part) {
  return directory && existsSync(pathOf(part))
    ? JSON.parse(readFileSync(pathOf(part), "utf8"))
    : null;
}

/** @param {object} state as JSON */
export function writeState(part, state) {
  if (directory) writeFileSync(pathOf(part), JSON.stringify(state));
}
