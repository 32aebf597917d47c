import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { backendNames } from "../src/contenders/backends.js";

const root = resolve(import.meta.dirname, "../../..");
const command = join(root, "apps/bench/bin/heed-bench.js");

/** A package of its own that depends on a backend `toy`, as somebody else's repository does. */
async function project(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "heed-registry-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const toy = join(folder, "node_modules/@heed/backend-toy");
  await mkdir(toy, { recursive: true });
  const template = pathToFileURL(join(root, "templates/backend/dist/index.js")).href;
  const source = `import { template } from ${JSON.stringify(template)};
const named = (backend) =>
  new Proxy(backend, {
    get: (target, key) => {
      const value = target[key];
      return key === "name" ? "toy" : typeof value === "function" ? value.bind(target) : value;
    },
  });
export const toy = () => ({ name: "toy", load: async () => named(await template().load()) });
`;
  const packageJson = { name: "@heed/backend-toy", type: "module", exports: "./index.js" };
  await writeFile(join(toy, "package.json"), JSON.stringify(packageJson));
  await writeFile(join(toy, "index.js"), source);
  await writeFile(join(folder, "mine.mjs"), source);
  await writeFile(join(folder, "none.mjs"), "export const nothing = 1;\n");
  await writeFile(
    join(folder, "package.json"),
    JSON.stringify({ devDependencies: { "@heed/backend-toy": "*" } }),
  );
  return folder;
}

async function bench(folder: string, ...args: string[]) {
  const run = promisify(execFile);
  return run(process.execPath, [command, ...args], { cwd: folder }).then(
    ({ stdout, stderr }) => ({ code: 0, text: stdout + stderr }),
    ({ code, stdout, stderr }) => ({ code: code as number, text: `${stdout}${stderr}` }),
  );
}

test("every backend package of the repository is registered", async () => {
  const folders = await readdir(join(root, "packages"));
  const names = folders.flatMap((name) => /^backend-(.+)$/.exec(name)?.[1] ?? []);
  expect(names.length).toBeGreaterThan(3);
  expect([...backendNames].sort()).toEqual([...names, "reference"].sort());
});

test("a backend that the working directory depends on is measured by its name", async () => {
  const folder = await project();
  const quick = ["--shape", "H1,L4,D4", "--samples", "1"];
  const args = [...quick, "--backends", "js,toy", "--json", "out.json"];
  expect(await bench(folder, ...args)).toMatchObject({ code: 0 });
  const { contenders, cases } = JSON.parse(await readFile(join(folder, "out.json"), "utf8"));
  expect(contenders).toMatchObject([
    { name: "js", backend: "js", status: "ready" },
    { name: "toy", backend: "toy", status: "ready" },
  ]);
  expect(cases[0].results).toMatchObject([{ status: "measured" }, { status: "measured" }]);
  // It is among those that are measured when none is named.
  expect((await bench(folder, "--list")).text).toMatch(
    /backends: js, wasm, webgpu, onnx, cluster, toy, ref/,
  );
});

test("a module is measured by its path, and recommended by the name that it gives itself", async () => {
  const folder = await project();
  const args = ["--shape", "H1,L4,D4", "--samples", "1", "--backends", "./mine.mjs"];
  const { code, text } = await bench(folder, ...args, "--recommendation", "use.json");
  expect(code).toBe(0);
  expect(text).toMatch(/\.\/mine\.mjs +JavaScript on CPU/);
  const use = JSON.parse(await readFile(join(folder, "use.json"), "utf8"));
  expect(use.rules).toMatchObject([{ prefer: [{ backend: "toy" }] }]);
});

test("a path without a module is a wrong argument; a module without a provider is unavailable", async () => {
  const folder = await project();
  const wrong = await bench(folder, "--backends", "./missing.js");
  expect(wrong.code).toBe(2);
  expect(wrong.text).toContain("there is no module ./missing.js");
  const args = ["--shape", "H1,L4,D4", "--samples", "1", "--backends", "js,./none.mjs"];
  expect((await bench(folder, ...args)).text).toMatch(
    /unavailable: .*none\.mjs exports no provider/,
  );
});
