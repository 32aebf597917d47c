import { BackendUnavailableError } from "@heed/core";
import { inNode } from "./environment.js";
import { messageOf } from "./errors.js";
import type { OnnxProvider } from "./options.js";
import type { Runtime } from "./runtime.js";

/**
 * Imports the package that has a provider; both are optional peers.
 *
 * @throws BackendUnavailableError saying what to install
 */
export async function importRuntime(provider: OnnxProvider): Promise<Runtime> {
  const native = provider === "cpu" || (provider === "webgpu" && inNode());
  const name = native ? nodePackage : "onnxruntime-web";
  try {
    return (await (native ? importNode() : importWeb(provider))) as Runtime;
  } catch (cause) {
    // Node says it by a code; bundlers' development servers and browsers by message only.
    const { code } = cause as { code?: unknown };
    const missing = code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND";
    throw new BackendUnavailableError(
      missing ? `${name} is not installed` : `${name} does not load: ${messageOf(cause)}`,
      missing ? `npm install ${name}` : undefined,
      { cause },
    );
  }
}

/** Through a variable, so that bundlers for browsers leave it alone: it is native, and CommonJS. */
const nodePackage = "onnxruntime-node";

async function importNode(): Promise<unknown> {
  const module = (await import(/* @vite-ignore */ /* webpackIgnore: true */ nodePackage)) as {
    readonly default?: unknown;
  };
  return module.default ?? module;
}

/** The smallest entry that has the provider. Node's entry has wasm only, and no smaller one. */
function importWeb(provider: OnnxProvider): Promise<unknown> {
  if (inNode()) return import("onnxruntime-web");
  return provider === "wasm" ? import("onnxruntime-web/wasm") : import("onnxruntime-web/webgpu");
}
