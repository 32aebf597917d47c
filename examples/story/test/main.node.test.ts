/** The command that writes a story, as it is built. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { readVocabulary } from "../src/checkpoint.js";
import { readModelFile } from "../src/files.js";
import { textOf } from "../src/write.js";
import { folder, published } from "./stories.js";

const main: string = fileURLToPath(new URL("../dist/main.js", import.meta.url));

test.skipIf(folder === null || !existsSync(main)).each([
  ["--backend wasm", "caches of 655360 bytes in wasm"],
  ["--backend js --kind paged --dtype float16 --drafts", "caches of 327680 bytes in host memory"],
  ["--backend wasm --kind rolling --dtype int8", "caches of 245760 bytes in wasm"],
])("%s", async (options, bytes) => {
  const args = [main, "--tokens", "48", ...options.split(" ")];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    env: { ...process.env, NODE_OPTIONS: "" },
  });
  const { ids } = await published();
  const vocabulary = readVocabulary(await readModelFile("tokenizer"));
  const [text, figures] = stdout.trimEnd().split("\n\n");
  expect(text).toBe(textOf(ids.slice(0, 48), vocabulary));
  expect(figures).toMatch(/^48 tokens, [1-9]\d* a second; /);
  expect(figures).toContain(bytes);
});
