import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type ServedPage, type ServeOptions, serveFolder } from "../engines/serve.js";

/** Beside the sources, too, where tests run. */
const folder = fileURLToPath(new URL("../../dist/page", import.meta.url));

/**
 * Serves the page that was built, to this machine only.
 *
 * @throws Error if it has not been built, or the port is taken
 */
export async function servePage(options: ServeOptions): Promise<ServedPage> {
  if (!existsSync(`${folder}/index.html`)) {
    throw new Error("the page has not been built: pnpm build");
  }
  return serveFolder(folder, options);
}
