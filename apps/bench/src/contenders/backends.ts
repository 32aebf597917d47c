import { providerIn } from "@heed/conformance";
import { type AttentionProvider, BackendUnavailableError, reference } from "@heed/core";
import { registry } from "#registry";
import { messageOf } from "../message.js";
import { backendContender } from "./backend-contender.js";
import type { Contender } from "./contender.js";
import { openGpuClock } from "./gpu-clock.js";
import { isPath, type RegisteredBackend } from "./registry/registry.js";

export interface BackendOptions {
  /** Threads for backends that can use more than one. */
  readonly threads: number;
  /** ms for a backend to measure its own choices for a case; null or left out: it chooses by rule. */
  readonly tune?: number | null;
}

/** Largest accepted thread count; a larger one is taken for a typing error that would exhaust memory. */
export const mostThreads = 256;

/** Backends that are measured when none is named: all that are registered here. */
export const defaultBackendNames: readonly string[] = registry.backends.map(({ name }) => name);

/** Every backend by name; `reference` is core's own and measured only when asked for. */
export const backendNames: readonly string[] = [...defaultBackendNames, "reference"];

/** A backend by its name or its module's path, with a choice and threads of its own where it says so. */
export interface BackendSpec {
  readonly name: string;
  /** Execution provider or build, e.g. `"wasm"` of `onnx:wasm`; null for the backend's default. */
  readonly choice: string | null;
  readonly threads: number | null;
}

/**
 * Reads one of {@link backendNames}, or such as `wasm@2` for a number of threads of its own, so that
 * one run can compare a backend with itself, `onnx:wasm` for what it runs on, or `wasm:baseline` for
 * which of its builds. What has a dot or a slash is the path of a module that exports a provider.
 *
 * @throws RangeError for a name that is not known, or threads or a choice that it does not take
 */
export function backendSpec(spec: string): BackendSpec {
  if (isPath(spec)) {
    registry.ofPath(spec);
    return { name: spec, choice: null, threads: null };
  }
  const [named = "", threads] = spec.split("@");
  const [name = "", choice = null] = named.split(":");
  if (!backendNames.includes(name)) {
    throw new RangeError(`unknown backend ${name}; known: ${backendNames.join(", ")}`);
  }
  const manifest = registered(name)?.manifest;
  if (choice !== null && !manifest?.choice?.values.includes(choice)) {
    const known = manifest?.choice?.values.map((other) => `${name}:${other}`).join(", ");
    throw new RangeError(`${spec}: ${known ? `known are ${known}` : `${name} has no choice`}`);
  }
  if (threads === undefined) return { name, choice, threads: null };
  if (!manifest?.threads) {
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
  if (name === "reference") return backendContender(spec, async () => reference());
  const backend = isPath(spec) ? registry.ofPath(spec) : (registered(name) as RegisteredBackend);
  const { manifest } = backend;
  return backendContender(
    spec,
    (device) =>
      importProvider(backend, {
        ...manifest.options,
        ...(manifest.device && device && { device }),
        ...(manifest.threads && { threads: threads ?? options.threads }),
        ...(manifest.choice && choice !== null && { [manifest.choice.option]: choice }),
      }),
    { tune: options.tune ?? null, ...(manifest.device && { openClock: openGpuClock }) },
  );
}

function registered(name: string): RegisteredBackend | undefined {
  return registry.backends.find((backend) => backend.name === name);
}

async function importProvider(
  { name, specifier, load }: RegisteredBackend,
  options: object,
): Promise<AttentionProvider> {
  let exports: Readonly<Record<string, unknown>>;
  try {
    exports = await load();
  } catch (cause) {
    throw new BackendUnavailableError(
      isMissing(cause, specifier)
        ? `${specifier} is not installed`
        : `${specifier} does not load: ${messageOf(cause)}`,
      undefined,
      { cause },
    );
  }
  const provider = providerIn(exports, name, options);
  if (!provider) {
    throw new BackendUnavailableError(
      `${specifier} exports no provider: { name, load }, or a function that returns it`,
    );
  }
  return provider;
}

/** Whether the module itself is absent, rather than something that it imports. */
function isMissing(error: unknown, specifier: string): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return (
    (code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND") &&
    typeof message === "string" &&
    message.includes(specifier)
  );
}
