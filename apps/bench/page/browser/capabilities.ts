import { fusedMultiplyAdd, multiplyThenAdd } from "../../src/ceiling/generated/modules.js";
import { decode } from "../../src/ceiling/module.js";

/** A feature of the browser that backends can use: present, or why it is missing and what would help. */
export interface Capability {
  readonly title: string;
  readonly present: boolean;
  /** The feature's purpose, or its particulars if it is present. */
  readonly detail: string;
  /** Why it is missing. */
  readonly missing: string;
  /** How to get the feature, or what is used without it; empty if there is nothing to say. */
  readonly hint: string;
}

/** Detects the browser features that attention backends can use. */
export async function detectCapabilities(): Promise<readonly Capability[]> {
  return [simd(), relaxedSimd(), threads(), float16(), await webgpu()];
}

/**
 * Why a backend or a peer cannot work in this browser, as far as its name tells: `webgpu`, `onnx:webgpu`
 * and `ort-web-webgpu/…` need WebGPU, `onnx:webnn` WebNN.
 *
 * @returns null where nothing is known to be missing
 */
export function lackingFor(name: string, capabilities: readonly Capability[]): string | null {
  if (/(^|[:-])webgpu(\/|$)/.test(name)) {
    const found = capabilities.find(({ title }) => title === "WebGPU");
    return found && !found.present ? found.missing : null;
  }
  return name.endsWith(":webnn") && !("ml" in navigator)
    ? "this browser has no navigator.ml"
    : null;
}

function simd(): Capability {
  return {
    title: "wasm SIMD",
    present: WebAssembly.validate(decode(multiplyThenAdd)),
    detail: "128-bit vectors for the wasm backend",
    missing: "this browser's WebAssembly has no vector instructions",
    hint: "every browser since 2023 has them",
  };
}

function relaxedSimd(): Capability {
  return {
    title: "relaxed SIMD",
    present: WebAssembly.validate(decode(fusedMultiplyAdd)),
    detail: "fused multiply-adds for the wasm backend",
    missing: "this browser's WebAssembly has no fused multiply-add",
    hint: "the wasm backend uses a multiply and an add instead",
  };
}

function threads(): Capability {
  const { crossOriginIsolated, isSecureContext } = globalThis;
  return {
    title: "wasm threads",
    present: crossOriginIsolated,
    detail: `shared memory for up to ${navigator.hardwareConcurrency} threads`,
    missing: isSecureContext
      ? "the page is not cross-origin isolated, so there is no shared memory"
      : "the page was not loaded over https or from this machine",
    hint: "serve it with Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp",
  };
}

function float16(): Capability {
  return {
    title: "Float16Array",
    present: "Float16Array" in globalThis,
    detail: "float16 tensors as JavaScript numbers",
    missing: "this browser has none",
    hint: "float16 works all the same, from arrays of bits",
  };
}

async function webgpu(): Promise<Capability> {
  const about = { title: "WebGPU", detail: "the GPU, for the webgpu and onnx backends" };
  const absent = (missing: string, hint: string): Capability => ({
    ...about,
    present: false,
    missing,
    hint,
  });
  if (!isSecureContext) {
    return absent("the page was not loaded over https or from this machine", "WebGPU needs that");
  }
  if (!("gpu" in navigator)) {
    return absent(
      "this browser has no navigator.gpu",
      "Chrome, Edge, Safari 26 and Firefox 141 do",
    );
  }
  const gpu = navigator.gpu as Gpu;
  const adapter = await gpu.requestAdapter().catch(() => null);
  if (!adapter) {
    return absent(
      "the browser found no GPU adapter that it may use",
      "its page about the GPU (chrome://gpu) says why",
    );
  }
  const { vendor, architecture, description } = adapter.info;
  const name = description || [vendor, architecture].filter(Boolean).join(" ") || "an adapter";
  const useful = ["shader-f16", "subgroups", "timestamp-query"];
  const features = useful.filter((feature) => adapter.features.has(feature));
  return { ...about, present: true, detail: [name, ...features].join(", "), missing: "", hint: "" };
}

/** The part of WebGPU that is looked at here. */
interface Gpu {
  requestAdapter(): Promise<{
    readonly info: {
      readonly vendor: string;
      readonly architecture: string;
      readonly description: string;
    };
    readonly features: ReadonlySet<string>;
  } | null>;
}
