import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

/** Cross-origin isolation, without which there is no SharedArrayBuffer, and so no wasm threads. */
const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

/** The web page: static files that can be hosted anywhere, under any path. */
export default defineConfig({
  root: fileURLToPath(new URL("page", import.meta.url)),
  base: "./",
  // Node's looks into folders; the page's is what it was built with.
  resolve: {
    alias: {
      "#registry": fileURLToPath(new URL("page/browser/registry.ts", import.meta.url)),
    },
  },
  build: {
    outDir: "../dist/page",
    emptyOutDir: true,
    target: "es2022",
    // onnxruntime's wasm alone is larger; it is loaded when it is measured.
    chunkSizeWarningLimit: 2_000,
    reportCompressedSize: false,
  },
  worker: { format: "es" },
  server: { headers: isolation },
  preview: { headers: isolation },
});
