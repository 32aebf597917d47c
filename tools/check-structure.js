// `pnpm check:structure`: fails if source files import each other in a circle, or if a field of a problem is named
// in more files than the layout of the repository should need: a rule belongs in few places.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** Most files that may name a field, outside of tests: everywhere, and in the conformance suite. */
const bounds = {
  softcap: { everywhere: 35, conformance: 10 },
  kvLengths: { everywhere: Number.POSITIVE_INFINITY, conformance: Number.POSITIVE_INFINITY },
};

/** Folders of a package that hold sources. Others are not looked into: tests make and delete files there. */
const sourceFolders = ["src", "page", "assembly"];

/** Source files of the packages and apps, without tests and what is generated. */
export function sourceFiles(root) {
  return ["packages", "apps", "examples", "templates"]
    .flatMap((parent) => readdirSync(join(root, parent)).map((name) => join(root, parent, name)))
    .flatMap((directory) => sourceFolders.map((name) => join(directory, name)))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && /\.(?:ts|tsx|js)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !/\/(?:node_modules|generated|dist|test)\//.test(file));
}

/**
 * Groups of files that import each other in a circle, types included.
 *
 * @param {ReadonlyMap<string, readonly string[]>} imports files, and the files that each imports
 * @returns {string[][]} strongly connected components of more than one file (Tarjan, 1972)
 */
export function circles(imports) {
  const found = [];
  const state = new Map();
  const stack = [];
  const visit = (file) => {
    const own = { index: state.size, low: state.size, open: true };
    state.set(file, own);
    stack.push(file);
    for (const next of imports.get(file) ?? []) {
      if (!imports.has(next)) continue;
      const known = state.get(next) ?? visit(next);
      if (known.open) own.low = Math.min(own.low, known.low);
    }
    if (own.low === own.index) {
      const group = stack.splice(stack.indexOf(file));
      for (const member of group) state.get(member).open = false;
      if (group.length > 1) found.push(group);
    }
    return own;
  };
  for (const file of imports.keys()) if (!state.has(file)) visit(file);
  return found;
}

/** Files that each file imports by a relative path. */
export function importsOf(files) {
  const known = new Set(files);
  const pattern =
    /(?:^|\n)\s*(?:import|export)\b[^;"']*?["'](\.[^"']+)["']|\bimport\(\s*["'](\.[^"']+)["']\s*\)/g;
  return new Map(
    files.map((file) => {
      const targets = [...readFileSync(file, "utf8").matchAll(pattern)].flatMap((match) => {
        const path = resolve(dirname(file), match[1] ?? match[2]);
        const stem = path.replace(/\.js$/, "");
        return (
          [path, `${stem}.ts`, `${stem}.tsx`, `${path}.ts`].find((name) => known.has(name)) ?? []
        );
      });
      return [file, targets];
    }),
  );
}

function main() {
  const root = resolve(import.meta.dirname, "..");
  const files = sourceFiles(root);
  const short = (file) => file.slice(root.length + 1);
  let failed = false;

  const groups = circles(importsOf(files));
  console.log(`import circles: ${groups.length} in ${files.length} files`);
  for (const group of groups) console.log(`  ${group.map(short).sort().join(", ")}`);
  if (groups.length > 0) failed = true;

  for (const [field, most] of Object.entries(bounds)) {
    const naming = files.filter((file) =>
      new RegExp(`\\b${field}\\b`).test(readFileSync(file, "utf8")),
    );
    const conformance = naming.filter((file) => short(file).startsWith("packages/conformance/"));
    console.log(
      `files that name ${field}: ${naming.length}, of them ${conformance.length} in conformance`,
    );
    if (naming.length > most.everywhere || conformance.length > most.conformance) {
      for (const file of naming) console.log(`  ${short(file)}`);
      console.log(`  at most ${most.everywhere} and ${most.conformance} are expected`);
      failed = true;
    }
  }
  process.exitCode = failed ? 1 : 0;
}

if (process.argv[1] === import.meta.filename) main();
