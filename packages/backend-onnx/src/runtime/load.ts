import { type BackendInfo, BackendUnavailableError } from "@heed/core";
import type { ComputeDevice } from "@heed/gpu-memory";
import { type AdapterFacts, adapterFacts, hasHardwareAdapter, inNode } from "./environment.js";
import { messageOf } from "./errors.js";
import { exclusively } from "./exclusive.js";
import { importRuntime } from "./import.js";
import type { CheckedOptions, OnnxProvider } from "./options.js";
import { holdsFloat16, probe } from "./probe.js";
import type { Runtime, SessionOptions } from "./runtime.js";
import { type ProviderTraits, traitsOf } from "./traits.js";

/** A runtime with a provider that was seen to work in it. */
export interface LoadedRuntime {
  readonly runtime: Runtime;
  readonly traits: ProviderTraits;
  readonly sessionOptions: SessionOptions;
  readonly threads: number;
  readonly adapter: AdapterFacts | null;
  /** The device whose buffers can hold tensors; null except with onnxruntime-web's provider webgpu. */
  readonly device: ComputeDevice | null;
  readonly notes: readonly string[];
  /** Releases the session that keeps the provider's device alive; called after all other sessions are released. */
  release(): Promise<void>;
}

/** @throws BackendUnavailableError with the reason of each provider that was tried */
export async function loadRuntime(options: CheckedOptions): Promise<LoadedRuntime> {
  if (options.provider !== "auto") return loadProvider(options.provider, options);
  const failures: string[] = [];
  for (const provider of await candidates()) {
    try {
      return await loadProvider(provider, options);
    } catch (error) {
      failures.push(`${provider}: ${messageOf(error)}`);
    }
  }
  throw new BackendUnavailableError(
    `no execution provider works here: ${failures.join("; ")}`,
    `npm install ${inNode() ? "onnxruntime-node" : "onnxruntime-web"}`,
  );
}

async function candidates(): Promise<OnnxProvider[]> {
  if (inNode()) return ["cpu", "wasm"];
  return (await hasHardwareAdapter()) ? ["webgpu", "wasm"] : ["wasm"];
}

async function loadProvider(
  provider: OnnxProvider,
  options: CheckedOptions,
): Promise<LoadedRuntime> {
  const runtime = (options.runtime as unknown as Runtime) ?? (await importRuntime(provider));
  if (provider === "wasm" && options.threads !== undefined) {
    runtime.env.wasm.numThreads = options.threads;
  }
  if (options.device !== undefined && isNative(runtime)) {
    throw new BackendUnavailableError(
      "onnxruntime-node takes no GPUDevice: it makes its own and keeps it to itself",
      "leave device out, or use onnxruntime-web in a browser",
    );
  }
  if (provider === "wasm" && runtime.env.wasm.proxy === true && !inNode()) {
    throw new BackendUnavailableError(
      "onnxruntime-web's env.wasm.proxy hands a call's arrays over to a worker, and the caller no longer has them",
      "set env.wasm.proxy to false; a worker around all of it keeps a page responsive as well",
    );
  }
  const sessionOptions = optionsFor(provider, options);
  const probed = await probe(runtime, provider, sessionOptions);
  const onGpu = provider === "webgpu";
  const inBrowser = onGpu && !isNative(runtime);
  const releaseProbed = (): Promise<void> => exclusively(runtime, () => probed.release());
  // It holds the device, where there is one that buffers are in.
  if (!inBrowser) await releaseProbed();
  const adapter = inBrowser
    ? adapterFacts(options.device ?? (await runtime.env.webgpu.device))
    : null;
  const float16 = onGpu ? await holdsFloat16(runtime, sessionOptions) : true;
  const threads = threadsInUse(runtime, provider, options.threads);
  return {
    runtime,
    traits: traitsOf(
      provider,
      { float16, largestTensor: adapter?.facts.largestBinding ?? null },
      options.maxWorkspaceBytes,
    ),
    sessionOptions,
    threads,
    adapter: adapter?.facts ?? null,
    device: adapter?.device ?? null,
    release: inBrowser ? releaseProbed : async () => {},
    notes: notesOn(provider, options.threads, threads),
  };
}

function isNative(runtime: Runtime): boolean {
  return runtime.env.versions?.node !== undefined;
}

/** Description of the runtime for `BackendInfo`. */
export function runtimeInfo(loaded: LoadedRuntime): BackendInfo {
  const { runtime, traits, threads, adapter, notes } = loaded;
  const { versions } = runtime.env;
  const [name, version] = isNative(runtime)
    ? ["onnxruntime-node", versions?.node]
    : ["onnxruntime-web", versions?.web ?? versions?.common];
  const onCpu = traits.provider === "wasm" || traits.provider === "cpu";
  return {
    runtime: `${name} ${version ?? ""}`.trim(),
    device: onCpu ? "CPU" : (adapter?.name ?? "GPU"),
    features: [`provider ${traits.provider}`, ...(!onCpu && traits.float16 ? ["float16"] : [])],
    threads,
    ...(notes.length > 0 && { notes }),
  };
}

function threadsInUse(runtime: Runtime, provider: OnnxProvider, asked: number | undefined): number {
  // onnxruntime-web writes what it decided back into its settings.
  if (provider === "wasm") return runtime.env.wasm.numThreads || 1;
  return provider === "cpu" ? (asked ?? 1) : 1;
}

function notesOn(provider: OnnxProvider, asked: number | undefined, threads: number): string[] {
  if (provider === "cpu" && asked === undefined) {
    return ["onnxruntime-node chooses its threads and does not say how many: one a core"];
  }
  if (provider !== "wasm" || asked === undefined || threads === asked) return [];
  return [
    `${asked} threads were asked for and ${threads} run: they need cross-origin isolation, and are fixed by the runtime's first session`,
  ];
}

function optionsFor(provider: OnnxProvider, { threads, device }: CheckedOptions): SessionOptions {
  const onCpu = provider === "wasm" || provider === "cpu";
  return {
    // A device has to be named for each session: what env.webgpu.device is set to, 1.30 does not look at.
    executionProviders: [device === undefined ? provider : { name: provider, device }],
    graphOptimizationLevel: "all",
    // Errors only. Warnings about the placement of nodes are covered by the option below.
    logSeverityLevel: 3,
    ...(provider === "cpu" && { interOpNumThreads: 1 }),
    ...(provider === "cpu" && threads !== undefined && { intraOpNumThreads: threads }),
    // A node that the provider lacks would run on the CPU without a word
    // (https://github.com/microsoft/onnxruntime/issues/25952): so the session is refused instead.
    ...(!onCpu && { extra: { session: { disable_cpu_ep_fallback: "1" } } }),
  };
}
