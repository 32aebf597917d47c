// The explorer, built into a temporary folder and served in isolation under a path that is not the root.
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sirv from "sirv";
import { build } from "vite";

/** Arguments of a chromium whose only GPU is one that the CPU imitates. */
export const softwareGpu = [
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
];

/**
 * @returns {Promise<{ address: string, close: () => Promise<void> }>} the page's address, and a function that ends the
 *   server and removes the files
 */
export async function serveBuilt() {
  const folder = await mkdtemp(join(tmpdir(), "heed-explorer-"));
  const root = fileURLToPath(new URL("..", import.meta.url));
  await build({
    root,
    configFile: join(root, "vite.config.ts"),
    logLevel: "warn",
    build: { outDir: join(folder, "some/path"), emptyOutDir: true },
  });
  const files = sirv(folder, {
    setHeaders: (response) => {
      response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
      response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    },
  });
  const server = createServer((request, response) => files(request, response));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    address: `http://localhost:${port}/some/path/`,
    close: async () => {
      server.close();
      await rm(folder, { recursive: true });
    },
  };
}
