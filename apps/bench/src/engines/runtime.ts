import { spawn } from "node:child_process";
import { findEngine } from "./find.js";
import type { RuntimeName } from "./names.js";

/** A module to run in a process of its own. */
export interface ScriptRun {
  readonly script: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Ends the process. Default: nothing does */
  readonly signal?: AbortSignal;
  /** Takes the text that the process prints. Default: nobody; what it prints as errors is always shown */
  readonly print?: (text: string) => void;
}

/** Arguments before the script's path. Packages come from node_modules as npm or pnpm has made it. */
const options: Readonly<Record<RuntimeName, readonly string[]>> = {
  deno: ["run", "--allow-all", "--unstable-webgpu", "--node-modules-dir=manual"],
  bun: ["run"],
};

/**
 * Runs a module in another runtime, and waits until its process has ended.
 *
 * @returns its exit code
 * @throws MissingEngineError; Error if a signal ended it
 */
export function runIn(
  name: RuntimeName,
  { script, args = [], env = {}, signal, print }: ScriptRun,
): Promise<number> {
  const child = spawn(findEngine(name), [...options[name], script, ...args], {
    stdio: ["ignore", print ? "pipe" : "ignore", "inherit"],
    env: { ...process.env, ...env },
    ...(signal && { signal }),
  });
  child.stdout?.setEncoding("utf8").on("data", (text: string) => print?.(text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, ended) => {
      if (code === null) reject(new Error(`${name} was ended by ${ended}`));
      else resolve(code);
    });
  });
}
