import { createStore, get, set } from "idb-keyval";

/** A place where an attention keeps what it learned, as one text. Either function may throw or reject. */
export interface LearningStore {
  /** The text that was written last; null or undefined if there is none. */
  read(): string | null | undefined | Promise<string | null | undefined>;
  write(text: string): void | Promise<void>;
}

/** The name of the database in IndexedDB, and of the folder in the user's cache folder. */
const place = "heed";

/** The name of the object store in the database, and of the text in it and in the folder. */
const learned = "learned";

/** Node's modules that are needed, as far as they are used. */
interface Builtins {
  readonly "node:fs/promises": {
    readFile(path: string, encoding: "utf8"): Promise<string>;
    writeFile(path: string, text: string): Promise<void>;
    rename(from: string, to: string): Promise<void>;
    mkdir(path: string, options: { recursive: true }): Promise<unknown>;
    rm(path: string, options: { force: true }): Promise<void>;
  };
  readonly "node:os": { homedir(): string };
  readonly "node:path": { join(...parts: string[]): string };
}

interface Globals {
  readonly process?: {
    readonly platform?: string;
    readonly pid?: number;
    readonly env?: Readonly<Record<string, string | undefined>>;
    getBuiltinModule?<Name extends keyof Builtins>(name: Name): Builtins[Name] | undefined;
  };
  readonly indexedDB?: unknown;
}

/**
 * The store of an application that brings none: a file in the user's cache folder in Node, Deno and Bun, IndexedDB in
 * pages and their workers; null elsewhere.
 */
export function defaultStore(globals: Globals = globalThis as Globals): LearningStore | null {
  const { process } = globals;
  if (process?.getBuiltinModule !== undefined) return inCacheFolder(process);
  return "indexedDB" in globals ? inIndexedDB() : null;
}

/** The database is opened when it is read or written first: pages may forbid it, and then that rejects. */
function inIndexedDB(): LearningStore {
  const store = createStore(place, learned);
  return {
    read: async () => {
      // Anybody on the page can write there.
      const value = await get<unknown>(learned, store);
      return typeof value === "string" ? value : null;
    },
    write: (text) => set(learned, text, store),
  };
}

function inCacheFolder(process: NonNullable<Globals["process"]>): LearningStore {
  const builtin = <Name extends keyof Builtins>(name: Name): Builtins[Name] => {
    const found = process.getBuiltinModule?.(name);
    if (found === undefined) throw new Error(`there is no ${name} here`);
    return found;
  };
  const folder = (): string => {
    const { join } = builtin("node:path");
    const { env = {}, platform } = process;
    const home = builtin("node:os").homedir();
    if (platform === "win32") return join(env.LOCALAPPDATA ?? home, place);
    if (platform === "darwin") return join(home, "Library", "Caches", place);
    return join(env.XDG_CACHE_HOME || join(home, ".cache"), place);
  };
  const file = (): string => builtin("node:path").join(folder(), `${learned}.json`);
  return {
    read: async () => builtin("node:fs/promises").readFile(file(), "utf8"),
    write: async (text) => {
      const { mkdir, rename, rm, writeFile } = builtin("node:fs/promises");
      await mkdir(folder(), { recursive: true });
      // Renamed at the end: another process never reads half of it.
      const temporary = `${file()}.${process.pid}`;
      try {
        await writeFile(temporary, text);
        await rename(temporary, file());
      } finally {
        await rm(temporary, { force: true });
      }
    },
  };
}
