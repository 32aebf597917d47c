/** Pages that load a bundled application. */
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { type Browser, chromium } from "playwright";
import type { Bundle } from "./bundles.js";

export const chromiumPath: string = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";

/** The place in which an application runs, and what may differ there. */
export interface PageOptions {
  /** Headers of every answer of the server. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Arguments of chromium, beside those that it always has. */
  readonly args?: readonly string[];
  /** Whether the application runs in a worker of the page. */
  readonly worker?: boolean;
  /** The host in the page's address. Default localhost, which is a secure context. */
  readonly host?: string;
}

export interface InPage {
  /** Files that the page requested. */
  readonly requested: readonly string[];
  /** The value that the application's `globalThis.result` resolved to. */
  readonly result: unknown;
}

/** Headers with which a page is isolated, so that it has shared memory. */
export const isolation: Readonly<Record<string, string>> = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

/** Arguments with which chromium has WebGPU, on an adapter in software. */
export const softwareWebGpu: readonly string[] = [
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
];

const browsers = new Map<string, Promise<Browser>>();

/** Ends the browsers that {@link inPage} started. */
export async function closeBrowsers(): Promise<void> {
  const open = await Promise.all(browsers.values());
  browsers.clear();
  await Promise.all(open.map((browser) => browser.close()));
}

/** Runs a bundle in a page of its own. */
export async function inPage(
  made: Bundle,
  { headers = {}, args = [], worker = false, host = "localhost" }: PageOptions = {},
): Promise<InPage> {
  const all = ["--no-sandbox", ...args];
  const launched =
    browsers.get(all.join(" ")) ?? chromium.launch({ executablePath: chromiumPath, args: all });
  browsers.set(all.join(" "), launched);
  const requested: string[] = [];
  const server = await serve(made, requested, headers);
  const page = await (await launched).newPage();
  try {
    await page.goto(`http://${host}:${(server.address() as AddressInfo).port}/`);
    const result = await page.evaluate(
      worker
        ? `new Promise((resolve, reject) => {
            const worker = new Worker("/worker.js", { type: "module" });
            worker.onmessage = ({ data }) => resolve(data);
            worker.onerror = ({ message }) => reject(new Error(message));
          })`
        : `import("/${made.entry}").then(() => globalThis.result)`,
    );
    return { requested, result };
  } finally {
    await page.close();
    server.close();
  }
}

async function serve(
  { directory, files, entry }: Bundle,
  requested: string[],
  headers: Readonly<Record<string, string>>,
): Promise<Server> {
  const inWorker = `import "/${entry}"; globalThis.result.then((result) => postMessage(result));`;
  const server = createServer(async (request, response) => {
    const file = (request.url ?? "/").slice(1);
    const known = files.includes(file);
    if (known) requested.push(file);
    const type = extname(file) === ".js" ? "text/javascript" : "text/html";
    response.writeHead(200, { ...headers, "Content-Type": type });
    if (known) response.end(await readFile(join(directory, file)));
    else response.end(file === "worker.js" ? inWorker : "<!doctype html><title>heed</title>");
  });
  await new Promise<void>((resolve) => server.listen(0, resolve));
  return server;
}
