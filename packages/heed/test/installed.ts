/** The built package as an application has it: installed by copies, so that only what is linked is found. */
import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const packages = fileURLToPath(new URL("../..", import.meta.url));
export const built: boolean = existsSync(join(packages, "heed/dist/index.js"));
const installed = [
  "core",
  "gpu-memory",
  "backend-js",
  "backend-onnx",
  "backend-wasm",
  "backend-webgpu",
  "heed",
];

/** A program that runs an application. */
export interface Runtime {
  readonly name: string;
  readonly path: string;
  readonly args: readonly string[];
}

/** Node itself, and others where the environment says where they are. */
export const runtimes: readonly Runtime[] = [
  { name: `Node ${process.version}`, path: process.execPath, args: [] },
  { name: "Node 24", path: process.env.NODE24_PATH, args: [] },
  { name: "Deno", path: process.env.DENO_PATH, args: ["run", "--allow-all"] },
  { name: "Bun", path: process.env.BUN_PATH, args: [] },
].flatMap(({ path, ...runtime }) => (path ? [{ ...runtime, path }] : []));

/**
 * Installs the packages into a folder, with a script.
 *
 * @param extra optional packages that are there
 * @param folder default: a new one
 * @returns the folder
 */
export async function install(
  extra: readonly string[],
  script: string,
  folder?: string,
): Promise<string> {
  const target = folder ?? (await mkdtemp(join(tmpdir(), "heed-installed-")));
  await writeFile(join(target, "run.mjs"), script);
  await writeFile(join(target, "package.json"), "{}");
  const modules = join(target, "node_modules");
  for (const name of installed) {
    const from = join(packages, name);
    const manifest = JSON.parse(readFileSync(join(from, "package.json"), "utf8"));
    const to = join(modules, manifest.name);
    mkdirSync(to, { recursive: true });
    cpSync(join(from, "package.json"), join(to, "package.json"));
    cpSync(join(from, "dist"), join(to, "dist"), {
      recursive: true,
      filter: (path) => !path.includes(".bundles"),
    });
    const others = Object.keys(manifest.dependencies ?? {}).filter((n) => !n.startsWith("@heed/"));
    // Copies as well: Next's bundler does not follow links out of the application's folder. They need no others.
    for (const other of others) copy(join(from, "node_modules", other), join(modules, other));
  }
  for (const name of extra) link(join(packages, "heed/node_modules", name), join(modules, name));
  return target;
}

function copy(from: string, to: string): void {
  cpSync(resolve(from), to, { recursive: true, dereference: true });
}

function link(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  symlinkSync(resolve(from), to);
}

/** Runs the script of a folder. @returns what its last line has as JSON */
export async function run(
  { path, args }: Runtime,
  target: string,
  environment: Readonly<Record<string, string | undefined>> = {},
): Promise<unknown> {
  // pnpm sets NODE_PATH, by which Bun would find the repository's own packages.
  const { NODE_PATH: _, ...env } = process.env;
  const { stdout } = await promisify(execFile)(path, [...args, "run.mjs"], {
    cwd: target,
    env: { ...env, ...environment },
    timeout: 50_000,
  });
  return JSON.parse(stdout.trim().split("\n").at(-1) as string);
}
