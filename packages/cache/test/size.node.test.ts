/** The size that a cache adds to an application's download, beside core. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, test } from "vitest";

const entry = fileURLToPath(new URL("../dist/index.js", import.meta.url));

test.skipIf(!existsSync(entry))(
  "a cache is less than 9.5 KiB, compressed, without saving and loading",
  async () => {
    const { outputFiles } = await build({
      entryPoints: [entry],
      bundle: true,
      minify: true,
      format: "esm",
      write: false,
      splitting: true,
      outdir: "out",
      external: ["@heed/core", "@heed/core/options", "@heed/core/safetensors"],
    });
    const first = outputFiles.filter(({ path }) => !path.includes("saved"));
    const bytes = first.reduce(
      (sum, { contents }) => sum + gzipSync(contents, { level: 9 }).length,
      0,
    );
    expect(bytes).toBeGreaterThan(1000);
    expect(bytes).toBeLessThan(9.5 * 1024);
  },
);
