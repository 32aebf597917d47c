import { defineConfig } from "vite";

/** Cross-origin isolation, without which there is no SharedArrayBuffer, and so no threads. */
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export default defineConfig({
  // Links between cases are relative: the page works under any address.
  base: "./",
  server: { port: 5177, strictPort: true, headers },
  preview: { port: 5177, strictPort: true, headers },
  // Bundled ahead, it would not find its wasm.
  optimizeDeps: { exclude: ["onnxruntime-web"] },
  build: { target: "es2022", chunkSizeWarningLimit: 2000 },
});
