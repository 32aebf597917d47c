import { js } from "@heed/backend-js";
import { wasm } from "@heed/backend-wasm";
import { webgpu } from "@heed/backend-webgpu";
import { type Attention, type AttentionProvider, createAttention, isHeedError } from "@heed/core";

const inNode = typeof window === "undefined";

/** Backends of this environment by name. The software adapter of a GPU will do. */
export const providers: Readonly<Record<string, () => Promise<AttentionProvider>>> = {
  js: async () => js(),
  wasm: async () => wasm({ threads: 1 }),
  webgpu: async () => webgpu({ allowFallbackAdapter: true }),
  ...(inNode && {
    onnx: async () => (await import("@heed/backend-onnx")).onnx({ provider: "cpu" }),
  }),
};

const required = (import.meta.env.HEED_REQUIRE ?? "").split(",");

/** An attention on one backend alone; null where it is not available and need not be. */
export async function attentionOn(name: string): Promise<Attention | null> {
  const provider = await (providers[name] as () => Promise<AttentionProvider>)();
  try {
    return await createAttention({ backends: [provider] });
  } catch (error) {
    const missing = isHeedError(error, "unsupported") || isHeedError(error, "backend-unavailable");
    if (missing && !required.includes(name)) return null;
    throw error;
  }
}

/** Resolves with the refusal of a backend that computes no such thing, or with null. */
export async function refusalOf(run: () => Promise<unknown>): Promise<string | null> {
  try {
    await run();
    return null;
  } catch (error) {
    if (isHeedError(error, "unsupported")) return error.message;
    throw error;
  }
}
