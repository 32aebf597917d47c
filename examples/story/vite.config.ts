import { defineConfig, type Plugin } from "vite";
import { files, readModelFile } from "./src/files.js";

/** Cross-origin isolation, without which there is no SharedArrayBuffer, and so no threads. */
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

/** Serves the model from wherever it is on this machine. */
const model: Plugin = {
  name: "model",
  configureServer(server) {
    for (const [name, file] of Object.entries(files)) {
      server.middlewares.use(`/model/${file}`, async (_, response) => {
        try {
          response.end(new Uint8Array(await readModelFile(name as keyof typeof files)));
        } catch (error) {
          response.statusCode = 404;
          response.statusMessage = String(error).replaceAll(/[^ -~]/g, " ");
          response.end();
        }
      });
    }
  },
};

export default defineConfig({
  base: "./",
  plugins: [model],
  server: { port: 5178, headers },
  // Bundled ahead, it would not find its wasm.
  optimizeDeps: { exclude: ["onnxruntime-web"] },
  build: { target: "es2022" },
});
