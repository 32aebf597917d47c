import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import sirv from "sirv";

/** A served page, until it is closed. */
export interface ServedPage {
  /** Ends with a slash. */
  readonly url: string;
  close(): Promise<void>;
}

export interface ServeOptions {
  /** 0: any that is free. */
  readonly port: number;
  /** Whether to send the headers without which a page has no shared memory, and so no threads. */
  readonly isolated: boolean;
  /** The files; default: the page that was built. */
  readonly folder?: string;
}

/** Beside the sources, too, where tests run. */
const built = fileURLToPath(new URL("../../dist/page", import.meta.url));

/**
 * Serves the page that was built, to this machine only.
 *
 * @throws Error if it has not been built, or the port is taken
 */
export async function servePage({
  port,
  isolated,
  folder = built,
}: ServeOptions): Promise<ServedPage> {
  if (!existsSync(`${folder}/index.html`)) {
    throw new Error("the page has not been built: pnpm build");
  }
  const files = sirv(folder, {
    dev: false,
    etag: true,
    setHeaders: (response) => {
      if (!isolated) return;
      response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
      response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    },
  });
  const server = createServer((request, response) =>
    files(request, response, () => {
      response.statusCode = 404;
      response.end("not found");
    }),
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const { port: actual } = server.address() as AddressInfo;
  return {
    // The name, and not the number: browsers trust both, but links to the name are shorter to say.
    url: `http://localhost:${actual}/`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
