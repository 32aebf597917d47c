import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
// @ts-expect-error a script without types
import { inspectPackage, peerProblems } from "../tools/release/inspect.js";

/** A packed package that has nothing wrong, but for the changes. */
function packed(changes: Record<string, unknown> = {}, readme = "npm install it\n"): string {
  const folder = mkdtempSync(join(tmpdir(), "heed-packed-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const manifest = {
    ...{ name: "@heed/x", version: "0.1.0", description: "x", license: "Apache-2.0" },
    ...{ type: "module", keywords: ["x"], engines: { node: ">=20" }, files: ["dist"] },
    exports: { ".": { types: "./dist/index.d.ts", default: "./dist/index.js" } },
    dependencies: { "@heed/core": "^0.1.0", other: "1.2.3" },
    ...changes,
  };
  mkdirSync(join(folder, "dist"));
  const files = { "package.json": JSON.stringify(manifest), "README.md": readme };
  const empty = ["LICENSE", "CHANGELOG.md", "dist/index.js", "dist/index.d.ts"];
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  for (const name of empty) writeFileSync(join(folder, name), "");
  return folder;
}

const versions = new Map([["@heed/core", "0.1.0"]]);

test("a package that is ready", () => {
  expect(inspectPackage(packed(), versions)).toEqual([]);
});

test.each([
  [{ version: "0.0.0" }, "no changeset gives it a version"],
  [{ keywords: [] }, "package.json has no keywords"],
  [{ exports: { ".": "./dist/gone.js" } }, "./dist/gone.js is missing"],
  [{ dependencies: { "@heed/core": "workspace:^" } }, "package.json has a workspace link"],
  [{ dependencies: { "@heed/core": "^0.0.9" } }, "@heed/core ^0.0.9 is not of this release"],
  [{ dependencies: { other: "^1.0.0" } }, "other ^1.0.0 is no exact version"],
  [{ peerDependencies: { webgpu: ">=1" } }, "the peer webgpu is not optional"],
])("%j is a problem", (changes, problem) => {
  expect(inspectPackage(packed(changes), versions)).toContain(`@heed/x: ${problem}`);
});

test.each([
  ["[a](../a.md)", "README.md links to ../a.md, which npm does not show"],
  ["[a](#nowhere)", "README.md has no heading #nowhere"],
  ["```sh\npnpm bench\n```", "README.md has a command of the repository: pnpm bench"],
  ["", "README.md does not say how to install it"],
])("a README with %j is a problem", (text, problem) => {
  const readme = text === "" ? text : `npm install it\n\n${text}\n`;
  expect(inspectPackage(packed({}, readme), versions)).toEqual([`@heed/x: ${problem}`]);
});

test("the same peer has one range, in which what is tested lies", () => {
  const root = mkdtempSync(join(tmpdir(), "heed-peers-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const staged = [
    { name: "a", folder: "a", range: ">=1.2.0", tested: "1.10.0" },
    { name: "b", folder: "b", range: ">=1.3", tested: "1.2.9" },
  ].map(({ name, folder, range, tested }) => {
    mkdirSync(join(root, folder));
    const manifest = { peerDependencies: { peer: range }, devDependencies: { peer: tested } };
    writeFileSync(join(root, folder, "package.json"), JSON.stringify(manifest));
    return { name, folder, manifest };
  });
  expect(peerProblems(root, staged)).toEqual([
    "b wants peer >=1.3, and a >=1.2.0",
    "b is tested with peer 1.2.9, which is not >=1.3",
  ]);
});
