import { type AttentionProvider, BackendUnavailableError, reference } from "@heed/core";
import { backendContender } from "./backend-contender.js";
import type { Contender } from "./contender.js";

export interface BackendOptions {
  /** For those that can use more than one. */
  readonly threads: number;
}

/** What a backend package exports under its own name, e.g. `js()` of `@heed/backend-js`. */
type ProviderFactory = (options?: { readonly threads?: number }) => AttentionProvider;

interface BackendModule {
  readonly name: string;
  readonly specifier: string;
  /** Imports the package. */
  load(): Promise<unknown>;
  readonly takesThreads: boolean;
}

const backendModules: readonly BackendModule[] = [
  {
    name: "js",
    specifier: "@heed/backend-js",
    load: () => import("@heed/backend-js"),
    takesThreads: false,
  },
  ifInstalled("wasm", true),
  ifInstalled("webgpu", false),
  ifInstalled("onnx", true),
];

/**
 * A package that is not a dependency of the app. It is imported through a variable, so that its
 * absence is a reason in the table and not an error of the build.
 */
function ifInstalled(name: string, takesThreads: boolean): BackendModule {
  const specifier = `@heed/backend-${name}`;
  const load = (): Promise<unknown> => import(/* @vite-ignore */ specifier);
  return { name, specifier, load, takesThreads };
}

/** Every backend by name; `reference` is core's own and measured only when asked for. */
export const backendNames: readonly string[] = [
  ...backendModules.map(({ name }) => name),
  "reference",
];

/** Those measured when none is named. */
export const defaultBackendNames: readonly string[] = backendModules.map(({ name }) => name);

/**
 * @param spec one of {@link backendNames}, and `wasm@2` for a number of threads of its own, so that
 *   one run can compare a backend with itself
 * @throws RangeError for a name that is not known, or threads that it does not take
 */
export function backendByName(spec: string, options: BackendOptions): Contender {
  const [name = "", ownThreads] = spec.split("@");
  const module = backendModules.find((candidate) => candidate.name === name);
  if (!module && name !== "reference") {
    throw new RangeError(`unknown backend ${name}; known: ${backendNames.join(", ")}`);
  }
  if (ownThreads !== undefined && !(module?.takesThreads && /^[1-9]\d*$/.test(ownThreads))) {
    throw new RangeError(
      module?.takesThreads
        ? `${spec}: threads are an integer ≥ 1, such as ${name}@2`
        : `${spec}: ${name} takes no threads`,
    );
  }
  if (!module) return backendContender(spec, async () => reference());
  const threads = ownThreads === undefined ? options.threads : Number(ownThreads);
  return backendContender(spec, async () => {
    const factory = await importFactory(module);
    return module.takesThreads ? factory({ threads }) : factory();
  });
}

async function importFactory({ name, specifier, load }: BackendModule): Promise<ProviderFactory> {
  let exports: Record<string, unknown>;
  try {
    exports = (await load()) as Record<string, unknown>;
  } catch (cause) {
    throw new BackendUnavailableError(
      isMissing(cause, specifier)
        ? `${specifier} is not installed`
        : `${specifier} does not load: ${cause instanceof Error ? cause.message : String(cause)}`,
      undefined,
      { cause },
    );
  }
  const factory = exports[name];
  if (typeof factory !== "function") {
    throw new BackendUnavailableError(`${specifier} does not export ${name}()`);
  }
  return factory as ProviderFactory;
}

/** Whether the package itself is absent, rather than something that it imports. */
function isMissing(error: unknown, specifier: string): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return (
    code === "ERR_MODULE_NOT_FOUND" && typeof message === "string" && message.includes(specifier)
  );
}
