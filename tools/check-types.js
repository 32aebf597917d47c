// `pnpm check:types`: type-checks the packages as they are published, and the TypeScript in READMEs and docs/, as
// applications do: with two releases of TypeScript, nothing skipped, in browsers, in Node and without either.
// Run after a build.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { installPacked } from "./packed/install.js";
import { allSnippets } from "./packed/snippets.js";

const root = resolve(import.meta.dirname, "..");

const compilers = [
  { name: "TypeScript 5.9", path: "node_modules/typescript-5/lib/tsc.js" },
  { name: "TypeScript 7", path: "node_modules/typescript/bin/tsc" },
];

/** Platform types that an application may have. Snippets print, so they need a console. */
const settings = [
  { name: "DOM", lib: ["ES2022", "DOM", "DOM.Iterable"], types: [], snippets: true },
  { name: "Node, no DOM", lib: ["ES2022"], types: ["node"], snippets: true },
  { name: "neither", lib: ["ES2022"], types: [], snippets: false },
];

const target = realpathSync(mkdtempSync(join(tmpdir(), "heed-types-")));
try {
  process.exitCode = check() ? 0 : 1;
} finally {
  rmSync(target, { recursive: true });
}

/** @returns {boolean} whether all is well */
function check() {
  const manifests = installPacked(root, target, { peers: true });
  mkdirSync(join(target, "node_modules/@types"));
  cpSync(join(root, "node_modules/@types/node"), join(target, "node_modules/@types/node"), {
    recursive: true,
    dereference: true,
  });
  const modules = manifests.flatMap(({ name, exports }) =>
    Object.entries(exports)
      .filter(([, entry]) => typeof entry !== "string")
      .map(([path]) => path.replace(/^\./, name)),
  );
  writeFileSync(join(target, "package.json"), JSON.stringify({ type: "module" }));
  // Test runners bring types of their own for whole platforms: their own matter.
  const plain = modules.filter((specifier) => specifier !== "@heed/conformance/vitest");
  writeFileSync(
    join(target, "exports.ts"),
    plain.map((specifier, i) => `export * as m${i} from ${JSON.stringify(specifier)};\n`).join(""),
  );
  mkdirSync(join(target, "snippets"));
  const sources = new Map();
  for (const { file, line, code } of allSnippets(root)) {
    const name = `${file.replaceAll(/[/.]/g, "-")}-${line}.ts`;
    sources.set(`snippets/${name}`, { file, line });
    writeFileSync(join(target, "snippets", name), code);
  }
  const results = compilers.flatMap((compiler) =>
    settings.map((setting) => {
      const errors = compile(compiler, setting, sources);
      console.log(`${errors.length === 0 ? "ok   " : "FAILS"} ${compiler.name}, ${setting.name}`);
      for (const error of errors) console.log(`  ${error}`);
      return errors.length === 0;
    }),
  );
  console.log(`${sources.size} snippets, ${plain.length} modules`);
  return results.every(Boolean);
}

/** @returns {string[]} errors in our own files and in snippets */
function compile({ path }, { lib, types, snippets }, sources) {
  const config = {
    compilerOptions: {
      ...{ target: "ES2022", module: "NodeNext", moduleResolution: "NodeNext" },
      ...{ strict: true, noEmit: true, skipLibCheck: false, lib, types },
    },
    files: ["exports.ts", ...(snippets ? sources.keys() : [])],
  };
  writeFileSync(join(target, "tsconfig.json"), JSON.stringify(config));
  const command = [join(root, path), "--pretty", "false", "-p", target];
  const { stdout, stderr, status } = spawnSync(process.execPath, command, {
    cwd: target,
    encoding: "utf8",
  });
  if (status !== 0 && stdout === "") return [stderr];
  return stdout
    .split("\n")
    .filter((line) => /^\S+\(\d+,\d+\): error|^error/.test(line))
    .filter((line) => !isForeign(line))
    .map((line) => named(line, sources));
}

/** Whether an error lies in a package that is not ours: its links lead out of the target. */
function isForeign(line) {
  const [, path] = /^(\S+)\(\d+,\d+\)/.exec(line) ?? [];
  if (path === undefined) return false;
  const inside = relative(target, realpathSync(resolve(target, path)));
  return inside.startsWith("..") || /node_modules\/(?!@heed\/|heed\/)/.test(inside);
}

/** An error with the Markdown file and line instead of the extracted file's. */
function named(line, sources) {
  const [, path, row] = /^(\S+)\((\d+),\d+\)/.exec(line) ?? [];
  const source = sources.get(path);
  if (source === undefined) return line;
  return line.replace(/^\S+\(\d+,\d+\)/, `${source.file}:${source.line + Number(row)}`);
}
