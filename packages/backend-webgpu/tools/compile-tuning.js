// Compiles tables of measured choices into modules of the package: those of `tuning/*.json`, which
// `apps/bench/tools/tune.js` writes, and those of device reports, `reports/*.json` of the repository. There is an index, and a
// module for each architecture, which is imported on devices like it alone. Run it after a build, whenever a table
// was added or changed, and commit what it writes:
//
//   node packages/backend-webgpu/tools/compile-tuning.js [--check]
//
// A file of `tuning` holds one table, or a list of them. Where it and a report, or two reports, say something about the
// same class of problems on the same device, the file of `tuning` counts, or else the report that comes later by name.
// Choices whose gain is 1 are left out: there, the rules choose the same. So are tables of devices that name neither their
// vendor nor their architecture.
// With --check nothing is written, and the exit code is 1 if what is there is not what would be written.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readTable } from "../dist/attention/tuning/table.js";

const root = join(import.meta.dirname, "..");
const target = join(root, "src/attention/tuning/generated");
/** Folders of JSON files, and the tables in one; later ones count more. */
const sources = [
  { folder: "../../reports", tablesIn: ({ tuning }) => (tuning ? [tuning] : []) },
  { folder: "tuning", tablesIn: (read) => (Array.isArray(read) ? read : [read]) },
];

/**
 * The tables of all sources by architecture.
 *
 * @returns {Map<string, { vendor: string, architecture: string, files: string[], tables: object[] }>} by the module's name
 */
export function tablesByArchitecture() {
  const found = new Map();
  for (const { folder, tablesIn } of sources) {
    const files = readdirSync(join(root, folder)).filter((name) => name.endsWith(".json"));
    for (const file of files.sort()) {
      for (const table of tablesIn(JSON.parse(readFileSync(join(root, folder, file), "utf8")))) {
        const checked = readTable(table);
        if ("reason" in checked) throw new Error(`${file}: ${checked.reason}`);
        const { vendor, architecture } = checked.device;
        // A table of a browser that names no device says nothing about other devices without a name.
        if (!vendor && !architecture) continue;
        const name = [vendor, architecture]
          .filter(Boolean)
          .join("-")
          .toLowerCase()
          .replace(/[^a-z0-9]+/g, "-");
        const known = found.get(name) ?? { vendor, architecture, files: [], tables: [] };
        found.set(name, known);
        if (!known.files.includes(file)) known.files.push(file);
        const faster = Object.entries(table.choices).filter(([, { gain }]) => gain > 1);
        known.tables.push({ ...table, choices: Object.fromEntries(faster) });
      }
    }
  }
  return found;
}

/** @returns {Map<string, string>} the modules' texts by their names */
export function compiled() {
  const modules = new Map();
  const entries = [...tablesByArchitecture()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { vendor, architecture, files, tables }]) => {
      modules.set(`${name}.ts`, moduleOf(files, tables));
      const device = `vendor: ${JSON.stringify(vendor)}, architecture: ${JSON.stringify(architecture)}`;
      return `  { ${device}, load: () => import("./${name}.js") },\n`;
    });
  modules.set("index.ts", indexOf(entries));
  return modules;
}

const heading = (from) => `// Written by tools/compile-tuning.js from ${from}.\n`;

function moduleOf(files, tables) {
  // Text that is parsed when it is needed is smaller and faster than an object in the module.
  const text = JSON.stringify(JSON.stringify(tables));
  return `${heading(files.join(", "))}export const tables: readonly unknown[] = JSON.parse(\n  ${text},\n);\n`;
}

function indexOf(entries) {
  return `${heading("the tables of tuning and of reports")}
/** The tables that come with the package, by the devices that they are for. */
export const builtIn: readonly {
  readonly vendor: string;
  readonly architecture: string;
  load(): Promise<{ readonly tables: readonly unknown[] }>;
}[] = [
${entries.join("")}];
`;
}

if (process.argv[1] === import.meta.filename) {
  const modules = compiled();
  const present = readdirSync(target);
  if (process.argv.includes("--check")) {
    const stale = [...modules].filter(
      ([name, text]) =>
        !present.includes(name) || readFileSync(join(target, name), "utf8") !== text,
    );
    const gone = present.filter((name) => !modules.has(name));
    for (const name of [...stale.map(([one]) => one), ...gone]) console.error(`${name} is stale`);
    process.exitCode = stale.length + gone.length > 0 ? 1 : 0;
  } else {
    rmSync(target, { recursive: true, force: true });
    mkdirSync(target, { recursive: true });
    for (const [name, text] of modules) writeFileSync(join(target, name), text);
  }
}
