import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { inspect } from "node:util";
import { expect, onTestFinished, test, vi } from "vitest";

/** The package's directory, and a heading over the first code of a section of its README. */
const examples = [
  [".", "## A first call"],
  [".", "### Everything a call can say"],
  ["packages/backend-onnx", "## Models of one's own"],
  ["packages/heed", "## A first call"],
  ["packages/cache", "## A decode loop"],
] as const;

test.each(examples)("%s/README.md, %s: the code prints what it says", async (path, heading) => {
  const root = dirname(import.meta.dirname);
  const readme = readFileSync(join(root, path, "README.md"), "utf8");
  const [, section = ""] = readme.split(`\n${heading}\n`);
  const code = /```ts\n(?<code>.*?)```/s.exec(section)?.groups?.code ?? "";
  const said = /console\.log\(.*\); \/\/ (?<said>.*)/.exec(code)?.groups?.said;
  // In the package's own tests, so that packages resolve as they do there.
  const directory = mkdtempSync(join(root, path, "test/.readme-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "example.ts");
  writeFileSync(file, code);
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  onTestFinished(() => void log.mockRestore());
  await import(file);
  const printed = log.mock.calls.map((values) =>
    values.map((value) => (typeof value === "string" ? value : inspect(value))).join(" "),
  );
  expect(printed).toEqual([said]);
});
