import { type AttentionProvider, BackendUnavailableError, reference } from "@heed/core";
import { messageOf } from "../message.js";
import { backendContender } from "./backend-contender.js";
import type { Contender } from "./contender.js";
import { type ClockSearch, openGpuClock } from "./gpu-clock.js";

export interface BackendOptions {
  /** For those that can use more than one. */
  readonly threads: number;
}

/** What a backend package exports under its own name, e.g. `js()` of `@heed/backend-js`. */
type ProviderFactory = (options?: {
  readonly threads?: number;
  readonly provider?: string;
  readonly simd?: string;
  readonly device?: GPUDevice;
  readonly allowFallbackAdapter?: boolean;
}) => AttentionProvider;

interface BackendModule {
  readonly name: string;
  readonly specifier: string;
  /** Imports the package. */
  load(): Promise<unknown>;
  readonly takesThreads: boolean;
  /** Whether it is to run on an imitated GPU too, which its notes then say. */
  readonly allowFallbackAdapter?: boolean;
  /** Opens a device of its own with a clock. */
  readonly openClock?: () => Promise<ClockSearch>;
  /** What its caller can choose: what it runs on (`onnx:cpu`), which build (`wasm:baseline`). */
  readonly choice?: { readonly option: "provider" | "simd"; readonly values: readonly string[] };
}

const backendModules: readonly BackendModule[] = [
  {
    name: "js",
    specifier: "@heed/backend-js",
    load: () => import("@heed/backend-js"),
    takesThreads: false,
  },
  {
    name: "wasm",
    specifier: "@heed/backend-wasm",
    load: () => import("@heed/backend-wasm"),
    takesThreads: true,
    choice: { option: "simd", values: ["baseline", "relaxed"] },
  },
  {
    name: "webgpu",
    specifier: "@heed/backend-webgpu",
    load: () => import("@heed/backend-webgpu"),
    takesThreads: false,
    allowFallbackAdapter: true,
    openClock: openGpuClock,
  },
  {
    name: "onnx",
    specifier: "@heed/backend-onnx",
    load: () => import("@heed/backend-onnx"),
    takesThreads: true,
    choice: { option: "provider", values: ["wasm", "cpu", "webgpu", "webnn"] },
  },
];

/** Past this a number of threads is a slip, and would take the machine's memory. */
export const mostThreads = 256;

/** Every backend by name; `reference` is core's own and measured only when asked for. */
export const backendNames: readonly string[] = [
  ...backendModules.map(({ name }) => name),
  "reference",
];

/** Those measured when none is named. */
export const defaultBackendNames: readonly string[] = backendModules.map(({ name }) => name);

/** A backend by its name, and a choice and threads of its own where the spec says so. */
export interface BackendSpec {
  readonly name: string;
  /** What it runs on, or which of its builds. */
  readonly choice: string | null;
  readonly threads: number | null;
}

/**
 * Reads one of {@link backendNames}, or such as `wasm@2` for a number of threads of its own, so that
 * one run can compare a backend with itself, `onnx:wasm` for what it runs on, or `wasm:baseline` for
 * which of its builds.
 *
 * @throws RangeError for a name that is not known, or threads or a choice that it does not take
 */
export function backendSpec(spec: string): BackendSpec {
  const [named = "", threads] = spec.split("@");
  const [name = "", choice = null] = named.split(":");
  if (!backendNames.includes(name)) {
    throw new RangeError(`unknown backend ${name}; known: ${backendNames.join(", ")}`);
  }
  const module = backendModules.find((candidate) => candidate.name === name);
  if (choice !== null && !module?.choice?.values.includes(choice)) {
    const known = module?.choice?.values.map((other) => `${name}:${other}`).join(", ");
    throw new RangeError(`${spec}: ${known ? `known are ${known}` : `${name} has no choice`}`);
  }
  if (threads === undefined) return { name, choice, threads: null };
  if (!module?.takesThreads) {
    throw new RangeError(`${spec}: ${name} takes no threads`);
  }
  if (!/^[1-9]\d*$/.test(threads) || Number(threads) > mostThreads) {
    const range = `an integer from 1 to ${mostThreads}`;
    throw new RangeError(`${spec}: threads are ${range}, such as ${name}@2`);
  }
  return { name, choice, threads: Number(threads) };
}

/**
 * @param spec as {@link backendSpec} reads it
 * @throws RangeError as that does
 */
export function backendByName(spec: string, options: BackendOptions): Contender {
  const { name, choice, threads } = backendSpec(spec);
  const module = backendModules.find((candidate) => candidate.name === name);
  if (!module) return backendContender(spec, async () => reference());
  return backendContender(
    spec,
    async (device) => {
      const factory = await importFactory(module);
      if (!module.takesThreads) {
        return factory({
          ...(module.allowFallbackAdapter && { allowFallbackAdapter: true }),
          ...(device && { device }),
        });
      }
      const chosen = module.choice && choice !== null ? { [module.choice.option]: choice } : {};
      return factory({ threads: threads ?? options.threads, ...chosen });
    },
    module.openClock,
  );
}

async function importFactory({ name, specifier, load }: BackendModule): Promise<ProviderFactory> {
  let exports: Record<string, unknown>;
  try {
    exports = (await load()) as Record<string, unknown>;
  } catch (cause) {
    throw new BackendUnavailableError(
      isMissing(cause, specifier)
        ? `${specifier} is not installed`
        : `${specifier} does not load: ${messageOf(cause)}`,
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
