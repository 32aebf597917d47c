import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { checkBackend } from "@heed/conformance";
import { afterEach, beforeEach, expect, test } from "vitest";
// @ts-expect-error a script without types
import { createBackend, createRepository } from "../tools/create-backend/create.js";

let root: string;
const packages = ["conformance", "core"];

/** A repository with nothing but what the command touches. */
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "heed-create-"));
  for (const file of ["package.json", "tsconfig.json", "tsconfig.base.json"]) {
    await cp(file, join(root, file));
  }
  await cp("templates/backend", join(root, "templates/backend"), {
    recursive: true,
    filter: (source) => !/node_modules|dist|tsbuildinfo/.test(source),
  });
  await mkdir(join(root, "packages"));
  // The packages that the new package's tsconfig.json refers to.
  for (const name of packages)
    await symlink(resolve("packages", name), join(root, "packages", name));
  await symlink(resolve("node_modules"), join(root, "node_modules"));
});
afterEach(() => rm(root, { recursive: true }));

test("a new backend has its name everywhere, is registered, and is right at once", async () => {
  const { directory } = createBackend(root, "web-nn");
  expect(directory).toBe("packages/backend-web-nn");
  const read = (file: string) => readFile(join(root, directory, file), "utf8");

  for (const file of ["package.json", "src/index.ts", "test/conformance.test.ts"]) {
    expect(await read(file), file).not.toMatch(/template|copy it/);
  }
  expect(JSON.parse(await read("package.json"))).toMatchObject({ name: "@heed/backend-web-nn" });
  expect(await read("test/conformance.test.ts")).toContain("testBackend(webNn()");
  const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  expect(manifest.devDependencies["@heed/backend-web-nn"]).toBe("workspace:^");
  const project = JSON.parse(await readFile(join(root, "tsconfig.json"), "utf8"));
  const before = JSON.parse(await readFile("tsconfig.json", "utf8"));
  expect(project.references).toHaveLength(before.references.length + 1);
  expect(project.references).toContainEqual({ path: directory });

  const url = pathToFileURL(join(root, directory, "src/index.ts")).href;
  const { webNn } = await import(/* @vite-ignore */ url);
  // The template's own test runs all of core; here some of it shows that the names fit together.
  const { backend, counts } = await checkBackend(webNn(), { filter: "core/heads" });
  expect(backend).toBe("web-nn");
  expect(counts).toMatchObject({ fail: 0, unsupported: 0 });
  expect(counts.pass).toBeGreaterThan(4);
});

test.each(["", "WebNN", "a b", "../up", "-x", "class"])("refuses the name %j", async (name) => {
  expect(() => createBackend(root, name)).toThrow(/name|JavaScript/);
  expect((await readdir(join(root, "packages"))).sort()).toEqual(packages);
});

test("refuses a name that is taken, and touches nothing", async () => {
  createBackend(root, "twice");
  const manifest = await readFile(join(root, "package.json"), "utf8");
  expect(() => createBackend(root, "twice")).toThrow("packages/backend-twice exists already");
  expect(await readFile(join(root, "package.json"), "utf8")).toBe(manifest);
});

test("a repository of its own has the name everywhere, and the template's sources", async () => {
  const target = join(root, "elsewhere");
  const { directory } = createRepository(resolve("."), "web-nn", target);
  expect(directory).toBe(target);
  const read = (file: string) => readFile(join(target, file), "utf8");
  for (const file of ["package.json", "README.md", "src/index.ts", "test/conformance.test.ts"]) {
    expect(await read(file), file).not.toMatch(/backend-template|template\(/);
  }
  expect(JSON.parse(await read("package.json"))).toMatchObject({ name: "heed-backend-web-nn" });
  expect(await read("test/conformance.test.ts")).toContain('from "heed-backend-web-nn"');
  expect(await read(".gitignore")).toContain("node_modules");
  expect(() => createRepository(resolve("."), "web-nn", target)).toThrow("is not empty");
  expect(() => createRepository(resolve("."), "Web", join(root, "other"))).toThrow("lower-case");
});
