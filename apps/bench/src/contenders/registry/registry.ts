import type { BackendManifest } from "@heed/conformance";

/** A backend that can be measured by name: its package, imported when it is asked for. */
export interface RegisteredBackend {
  /** E.g. `"wasm"`. */
  readonly name: string;
  /** Package name or module path that is imported, for messages. */
  readonly specifier: string;
  readonly manifest: BackendManifest;
  /** Imports it. */
  load(): Promise<Readonly<Record<string, unknown>>>;
}

/** The backends of an environment: one module for Node, another for web pages. */
export interface Registry {
  /** In the order in which they are listed and measured. */
  readonly backends: readonly RegisteredBackend[];
  /**
   * A module by its path.
   *
   * @throws RangeError where there is none, or modules cannot be imported by path
   */
  ofPath(path: string): RegisteredBackend;
}

/** The order of this project's own, from what runs everywhere to what needs most; others come after. */
const usualOrder = ["js", "wasm", "webgpu", "onnx"];

/** Sorts names of backends into the order in which they are listed. */
export function inUsualOrder(names: readonly string[]): string[] {
  const place = (name: string) => {
    const at = usualOrder.indexOf(name);
    return at < 0 ? usualOrder.length : at;
  };
  return [...new Set(names)].sort((a, b) => place(a) - place(b) || a.localeCompare(b));
}

/** Whether a name on a command line is the path of a module: names have none of these characters. */
export function isPath(name: string): boolean {
  return /[./\\]/.test(name);
}
