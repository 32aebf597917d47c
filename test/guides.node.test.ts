/** The code of the guide pages runs, block by block. What it says about results is in its own assertions. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
// @ts-expect-error a script without types
import { snippetsOf } from "../tools/packed/snippets.js";

const root = dirname(import.meta.dirname);
const pages = readdirSync(join(root, "docs/guides")).filter((name) => name.endsWith(".md"));

test.each(pages)("docs/guides/%s", async (page) => {
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
});
