import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { viteSingleFile } from "vite-plugin-singlefile";

/** The frame of a self-contained report: one file, into which the command line puts the results. */
export default defineConfig({
  root: fileURLToPath(new URL("page/report", import.meta.url)),
  build: {
    outDir: "../../dist/report-page",
    emptyOutDir: true,
    target: "es2022",
    reportCompressedSize: false,
  },
  plugins: [viteSingleFile({ removeViteModuleLoader: true })],
});
