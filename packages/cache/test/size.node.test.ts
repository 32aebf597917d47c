/** What a cache adds to an application's download, beside core. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, test } from "vitest";

const entry = fileURLToPath(new URL("../dist/index.js", import.meta.url));

test.skipIf(!existsSync(entry))("a cache is less than 9 KiB, compressed", async () => {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: "esm",
    write: false,
    external: ["@heed/core", "@heed/core/safetensors"],
  });
  const bytes = gzipSync(outputFiles[0]?.contents as Uint8Array, { level: 9 }).length;
  expect(bytes).toBeGreaterThan(1000);
  expect(bytes).toBeLessThan(9 * 1024);
});
