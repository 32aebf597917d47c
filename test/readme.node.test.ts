import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";

/** Beside this file, so that the packages resolve as they do here. */
const directory = mkdtempSync(join(import.meta.dirname, ".readme-"));
afterAll(() => rmSync(directory, { recursive: true }));

test("the README's first call does what it says", async () => {
  const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8");
  const code = /## A first call.*?```ts\n(?<code>.*?)```/s.exec(readme)?.groups?.code ?? "";
  const said = /console\.log\(.*\); \/\/ (?<said>.*)/.exec(code)?.groups?.said;
  const file = join(directory, "first-call.ts");
  writeFileSync(file, code);
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  try {
    await import(file);
    expect(log.mock.calls).toEqual([["js", [1, 2, 3, 4], [1, 2, 3]]]);
    expect(said).toBe("js [ 1, 2, 3, 4 ] [ 1, 2, 3 ]");
  } finally {
    log.mockRestore();
  }
});
