import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
// @ts-expect-error a script without types
import { checkLinks } from "../tools/check-links.js";
// @ts-expect-error a script without types
import { deviceMatrix, readReports } from "../tools/devices.js";
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

describe("the matrix of devices and engines", () => {
  const report = (engine: string, device: string, change: object = {}): object => ({
    ...{ format: "heed-device", version: 1, created: "2026-11-29T12:00:00.000Z", device },
    environment: {
      ...{ engine, versions: { [engine]: "1.2" }, platform: "linux x64" },
      ...{ cpu: null, cores: null, memory: null },
    },
    conformance: [
      {
        ...{ backend: "wasm", unavailable: null, info: null, failures: [], failuresLeftOut: 0 },
        profiles: { core: { pass: 80, fail: 2, "known-failure": 1, unsupported: 3 } },
        refusals: [],
      },
    ],
    ...change,
  });
  const matrix = (files: Readonly<Record<string, object>>): string => {
    const texts = Object.entries(files).map(([name, one]) => [name, JSON.stringify(one)]);
    return deviceMatrix(readReports(folderOf(Object.fromEntries(texts))), "/heed/");
  };

  test("has a row for each device, a column for each engine, and a link to each report", () => {
    const html = matrix({
      "a-firefox-1.json": report("firefox", "A"),
      "a-node-1.json": report("node", "A"),
      "b-node-1.json": report("node", "B"),
    });
    expect(
      [...html.matchAll(/<th scope="(\w+)">([^<]*)/g)].map(([, of, text]) => [of, text]),
    ).toEqual([
      ...[
        ["col", "device"],
        ["col", "Node"],
        ["col", "Firefox"],
      ],
      ...[
        ["row", "A"],
        ["row", "B"],
      ],
    ]);
    expect(html).toContain(
      '<a href="/heed/bench/?report=..%2Freports%2Fa-firefox-1.json" target="_self">Firefox 1.2</a>',
    );
    expect(html).toContain(
      '<b>wasm</b> <span class="fails">✗ 80 of core</span>, 3 wrong, 3 refused',
    );
    // Markdown would end the block at an empty line.
    expect(html).not.toMatch(/\n\s*\n/);
  });

  test("says what a device was found to be fastest with", () => {
    const choices = { a: { gain: 2.54 }, b: { gain: 1 }, c: { gain: 14.3 }, d: { gain: "x" } };
    const tuning = { format: "heed-webgpu-tuning", version: 1, choices };
    expect(matrix({ "a-node-1.json": report("node", "A", { tuning }) })).toContain(
      "measured kernels for 3 classes of problems, 2 faster than the rules choose, by up to 14 times",
    );
    const same = { ...tuning, choices: { b: { gain: 1 } } };
    expect(matrix({ "a-node-1.json": report("node", "A", { tuning: same }) })).toContain(
      "measured kernels for 1 class of problems, as the rules choose them",
    );
    expect(matrix({ "a-node-1.json": report("node", "A") })).not.toContain("measured kernels");
  });

  test("shows texts of strangers as text, and runs no template of theirs", () => {
    const html = matrix({ "x-node-1.json": report("node", '<script>"{{ 1 }}"\n\n# x') });
    expect(html).toContain("&lt;script&gt;&quot;{{ 1 }}&quot;");
    expect(html).toMatch(/^<div [^>]*\bv-pre>/);
    expect(html).not.toMatch(/\n\s*\n/);
  });

  test("a file that is no report stops the site", () => {
    expect(() => matrix({ "x.json": { format: "heed-bench" } })).toThrow(
      'x.json.format: expected "heed-device", got "heed-bench"',
    );
  });
});
