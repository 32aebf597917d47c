import { expect, test } from "vitest";
// @ts-expect-error a script without types
import { allSnippets, snippetsOf } from "../tools/packed/snippets.js";

test("TypeScript blocks have their hidden declarations, and the line of the fence", () => {
  const text = [
    "# Title",
    "<!-- ts: import { a } from 'a';",
    "declare const b: number; -->",
    "",
    "```ts",
    "a(b);",
    "```",
    "",
    "```sh",
    "npm test",
    "```",
    "```ts",
    "a();",
    "a();",
    "```",
  ].join("\n");
  expect(snippetsOf(text)).toEqual([
    { line: 5, code: "import { a } from 'a'; declare const b: number;a(b);\n" },
    { line: 12, code: "a();\na();\n" },
  ]);
});

test("README's calls are among the snippets", () => {
  const found = allSnippets(".").filter(({ file }: { file: string }) => file === "README.md");
  expect(found[0].code).toContain("scaledDotProductAttention(query, key, value");
  expect(found[1].code).toContain("createAttention({ backends: [js()] })");
});
