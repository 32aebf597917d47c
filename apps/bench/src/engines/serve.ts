import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import sirv from "sirv";

/** A folder that is served, until it is closed. */
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
  /** Files beside the folder's own, by their paths in addresses. */
  readonly files?: ReadonlyMap<string, string> | undefined;
}

/**
 * Serves a folder to this machine only.
 *
 * @throws Error if the port is taken
 */
export async function serveFolder(
  folder: string,
  { port, isolated, files: further }: ServeOptions,
): Promise<ServedPage> {
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
      const path = further?.get(new URL(request.url ?? "", "http://localhost").pathname);
      if (path !== undefined) {
        createReadStream(path)
          .on("error", () => response.destroy())
          .pipe(response);
        return;
      }
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
