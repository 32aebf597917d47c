import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { EngineName } from "./names.js";

/** Places to look for an engine in, and how to get it. */
interface Sought {
  /** The environment variable that names it. */
  readonly variable: string;
  /** Paths, or commands of `PATH`. */
  readonly places: readonly string[];
  readonly install: string;
}

const sought: Readonly<Record<EngineName, Sought>> = {
  chromium: {
    variable: "CHROMIUM_PATH",
    places: ["/usr/bin/chromium"],
    install: "on Debian: apt install chromium",
  },
  firefox: {
    variable: "FIREFOX_PATH",
    places: ["firefox-esr", "firefox"],
    install: "on Debian: apt install firefox-esr",
  },
  webkit: {
    variable: "WEBKIT_DRIVER_PATH",
    places: ["WebKitWebDriver"],
    install: "on Debian: apt install webkit2gtk-driver xvfb",
  },
  deno: { variable: "DENO_PATH", places: ["deno"], install: "npm install --global deno" },
  bun: { variable: "BUN_PATH", places: ["bun"], install: "npm install --global bun" },
};

/** An engine that is not installed. `message` says where it was looked for, and how to install it. */
export class MissingEngineError extends Error {
  override readonly name = "MissingEngineError";
  readonly engine: EngineName;

  /**
   * @param lack what there is not
   * @param variable of the environment that names another
   */
  constructor(engine: EngineName, lack: string, variable: string = sought[engine].variable) {
    const { install } = sought[engine];
    super(`no ${lack}: install it (${install}), or name another with ${variable}`);
    this.engine = engine;
  }
}

/**
 * The path of an engine's program; for WebKit, of its driver.
 *
 * @throws MissingEngineError
 */
export function findEngine(name: EngineName): string {
  const { variable, places } = sought[name];
  const named = process.env[variable];
  const candidates = named ? [named] : places.flatMap(pathsOf);
  const found = candidates.find((path) => existsSync(path));
  if (found === undefined) {
    throw new MissingEngineError(name, `${name} at ${named ?? places.join(", ")}`);
  }
  if (name === "webkit" && !process.env.DISPLAY && findXvfb() === undefined) {
    throw new MissingEngineError(name, "display for webkit, and no Xvfb", "DISPLAY");
  }
  return found;
}

/** The path of the X server without a screen, which webkit needs where there is no display. */
export function findXvfb(): string | undefined {
  return pathsOf("Xvfb").find((path) => existsSync(path));
}

/** Whether an engine can be opened here. */
export function hasEngine(name: EngineName): boolean {
  try {
    findEngine(name);
    return true;
  } catch {
    return false;
  }
}

/** Paths that a command may have. */
export function pathsOf(command: string): readonly string[] {
  if (command.includes("/")) return [command];
  const directories = (process.env.PATH ?? "").split(delimiter).filter(Boolean);
  const suffix = process.platform === "win32" ? ".exe" : "";
  return directories.map((directory) => join(directory, command + suffix));
}
