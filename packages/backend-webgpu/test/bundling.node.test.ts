/** The optional package is imported in a way that bundlers for browsers leave alone. */
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";

test("the import of the package webgpu is hidden from webpack, Vite and static analysis", async () => {
  const text = await readFile(new URL("../src/gpu.ts", import.meta.url), "utf8");
  const imports = [...text.matchAll(/await import\(([^)]*)\)/g)].map(([, inside]) => inside);
  expect(imports.length).toBeGreaterThan(0);
  for (const inside of imports) {
    // webpack 5 resolves constants too, and warns on every build where the package is not installed.
    expect(inside).toContain("webpackIgnore: true");
    expect(inside).toContain("@vite-ignore");
    expect(inside).not.toMatch(/["'`]webgpu["'`]/);
  }
});
