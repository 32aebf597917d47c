/** A worker of a page or a thread of Node, with what they have in common. */
export interface Thread {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  onMessage(listener: (data: unknown) => void): void;
  /** Hears of a script that does not load or throws, and of a thread that ended by itself. */
  onFailure(listener: (message: string) => void): void;
  terminate(): void;
}

/** The scripts that there are. */
export type Script = "wasm" | "js";

interface NodeThread {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  on(event: "message" | "error" | "exit", listener: (value: never) => void): void;
  terminate(): Promise<unknown>;
  unref(): void;
  ref(): void;
}

interface Globals {
  readonly process?: {
    readonly versions?: { readonly node?: string };
    getBuiltinModule?(name: "node:worker_threads"): {
      Worker: new (url: URL, options: { execArgv: readonly string[] }) => NodeThread;
    };
  };
}

/**
 * Starts a worker. In Node it does not inherit the process's loaders, which are for other code.
 *
 * @throws whatever the runtime throws where there are none
 */
export function startThread(script: Script): Thread {
  const { process } = globalThis as Globals;
  const threads = process?.versions?.node && process.getBuiltinModule?.("node:worker_threads");
  return threads
    ? inNode(new threads.Worker(nodeScript(script), { execArgv: [] }))
    : inPage(pageWorker(script));
}

/** Not the form that bundlers look for: in Node, the files are where they were installed. */
function nodeScript(script: Script): URL {
  const base = import.meta.url;
  return new URL(`./${script}-host.js`, base);
}

/** The form that bundlers look for, once for each script: they emit it as a file of its own. */
function pageWorker(script: Script): Worker {
  return script === "wasm"
    ? new Worker(new URL("./wasm-host.js", import.meta.url), { type: "module" })
    : new Worker(new URL("./js-host.js", import.meta.url), { type: "module" });
}

function inPage(worker: Worker): Thread {
  return {
    postMessage: (message, transfer) => worker.postMessage(message, transfer),
    onMessage: (listener) => {
      worker.onmessage = ({ data }) => listener(data);
    },
    onFailure: (listener) => {
      worker.onerror = (event) => {
        event.preventDefault?.();
        listener(event.message || "its script does not load");
      };
      worker.onmessageerror = () => listener("a message could not be read");
    },
    terminate: () => worker.terminate(),
  };
}

function inNode(worker: NodeThread): Thread {
  // A thread that waits keeps no process alive; one that computes has a promise that is waited for.
  let pending = 0;
  worker.unref();
  return {
    postMessage: (message, transfer) => {
      if (pending++ === 0) worker.ref();
      worker.postMessage(message, transfer);
    },
    onMessage: (listener) => {
      worker.on("message", (data) => {
        if (--pending === 0) worker.unref();
        listener(data);
      });
    },
    onFailure: (listener) => {
      worker.on("error", (error: Error) => listener(error.message));
      worker.on("exit", (code: number) => listener(`it ended with code ${code}`));
    },
    terminate: () => void worker.terminate(),
  };
}
