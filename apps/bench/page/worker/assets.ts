import plain from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url";
import simd from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url";
import threaded from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url";
import type { PeerOptions } from "../../src/peers/peers.js";

/** TensorFlow.js looks for its modules beside the page, where a bundler has not put them. */
export const tfjsWasm: NonNullable<PeerOptions["tfjsWasm"]> = {
  "tfjs-backend-wasm.wasm": absolute(plain),
  "tfjs-backend-wasm-simd.wasm": absolute(simd),
  "tfjs-backend-wasm-threaded-simd.wasm": absolute(threaded),
};

/** Its threads run from a blob, to which no address is relative. */
function absolute(url: string): string {
  return new URL(url, import.meta.url).href;
}
