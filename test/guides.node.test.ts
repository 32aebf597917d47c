/** The code of the guide pages runs, block by block. What it says about results is in its own assertions. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { missing, startServer, startWorker } from "../packages/backend-cluster/test/nats.js";
// @ts-expect-error a script without types
import { snippetsOf } from "../tools/packed/snippets.js";

const root = dirname(import.meta.dirname);
const pages = readdirSync(join(root, "docs/guides")).filter((name) => name.endsWith(".md"));

/** A page whose code needs a server of NATS and workers. */
const spread = "spread-a-cache-over-machines.md";

test.each(pages.filter((page) => page !== spread))("docs/guides/%s", runPage);

test.skipIf(missing !== null)(
  `docs/guides/${spread}${missing ? ` (${missing})` : ""}`,
  async () => {
    const server = await startServer();
    const workers = await Promise.all(
      [1, 2, 3].map(() => startWorker(server.url, ["--group", "demo"])),
    );
    process.env.NATS_URL = server.url;
    try {
      await runPage(spread);
    } finally {
      delete process.env.NATS_URL;
      await Promise.all(workers.map((worker) => worker.stop()));
      await server.stop();
    }
  },
);

async function runPage(page: string): Promise<void> {
  const text = readFileSync(join(root, "docs/guides", page), "utf8");
  const snippets: readonly { line: number; code: string }[] = snippetsOf(text);
  expect(snippets.length).toBeGreaterThan(0);
  const directory = mkdtempSync(join(import.meta.dirname, ".guide-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  for (const { line, code } of snippets) {
    const file = join(directory, `line-${line}.ts`);
    writeFileSync(file, code);
    await import(file);
  }
}
