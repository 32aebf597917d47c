import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
// @ts-expect-error a script without types
import { checkLinks } from "../tools/check-links.js";
// @ts-expect-error a script without types
import { drawDiagrams, embedFiles } from "../tools/embed.js";
// @ts-expect-error a script without types
import { rewriteLinks } from "../tools/links.js";

/** A folder with these files, until the test ends. */
function folderOf(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), "heed-site-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return root;
}

describe("links between files become links between pages", () => {
  const root = (): string =>
    folderOf({ "docs/a.md": "", "docs/b.md": "", "tools/x.js": "", "packages/p/README.md": "" });
  const options = {
    ...{ file: "docs/a.md", base: "/heed/", address: "" },
    pages: new Map([
      ["docs/b.md", "b"],
      ["packages/p/README.md", "packages/p"],
      ["@heed/p", "packages/p"],
    ]),
  };
  test.each([
    ["[b](b.md)", "[b](/b)"],
    ["[b](b.md#part)", "[b](/b#part)"],
    ["[`p`](../packages/p)", "[`p`](/packages/p)"],
    ["[p](https://www.npmjs.com/package/@heed/p)", "[p](/packages/p)"],
    ["[q](https://www.npmjs.com/package/q)", "[q](https://www.npmjs.com/package/q)"],
    ["[here](#part)", "[here](#part)"],
    ["[x](../tools/x.js)", "x"],
    ["[run](/bench/)", '[run](/heed/bench/){target="_self"}'],
    ["`[b](b.md)`", "`[b](b.md)`"],
    ["```md\n[b](b.md)\n```", "```md\n[b](b.md)\n```"],
  ])("%s", (given, expected) => {
    expect(rewriteLinks(given, { ...options, root: root() })).toEqual({
      text: expected,
      problems: [],
    });
  });

  test("with the repository's address, files that are no page are there", () => {
    const { text } = rewriteLinks("[x](../tools/x.js#L1)", {
      ...{ ...options, root: root(), address: "https://example.org/heed" },
    });
    expect(text).toBe("[x](https://example.org/heed/blob/main/tools/x.js#L1)");
  });

  test("a link to a file that is not there is a problem", () => {
    const { problems } = rewriteLinks("[c](c.md)", { ...options, root: root() });
    expect(problems).toEqual(["docs/a.md: c.md does not exist"]);
  });
});

test("lines of links alone show the files", () => {
  const root = folderOf({ "README.md": "", "main.js": "run();\n", "output.txt": "done\n" });
  const text =
    "Text with [main.js](main.js) in it.\n\n[main.js](main.js)\n[output.txt](output.txt)\n";
  expect(embedFiles(text, join(root, "README.md"))).toBe(
    "Text with [main.js](main.js) in it.\n\n::: code-group\n```js [main.js]\nrun();\n```\n" +
      "```text [output.txt]\ndone\n```\n:::\n",
  );
});

test("a diagram has its arrows in words", () => {
  const drawn: string = drawDiagrams('```mermaid\nflowchart LR\n  a["apps"] --> b["core"]\n```\n');
  expect(drawn).toContain('<svg role="img" aria-label="Diagram. apps to core"');
  expect(drawn).not.toContain("<style");
});

test("every link of a site is followed, with its anchor and under its path", () => {
  const page = (links: string): string => `<body id="top">${links}</body>`;
  const dist = folderOf({
    "index.html": page(
      '<a href="/x/a.html#part">1</a><a href="./sub/">2</a><a href="https://o.org/">3</a>',
    ),
    "a.html": '<h2 id="part"></h2><a href="/a.html">4</a><a href="#none">5</a>',
    "sub/index.html": page('<a href="../b.html">6</a><script>"<a href=\\"7\\">"</script>'),
  });
  expect(checkLinks(dist, "/x/")).toEqual({
    links: 5,
    problems: expect.arrayContaining([
      "a.html: /a.html leaves /x/",
      "a.html: #none has no such anchor",
      "sub/index.html: ../b.html does not exist",
    ]),
  });
});
