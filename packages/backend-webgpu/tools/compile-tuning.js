// Compiles the tables of `tuning/*.json`, which `apps/bench/tools/tune.js` writes, into modules of the package: an index,
// and a module for each file, which is imported on devices like the file's alone. Run it after a build, whenever a
// table was added or changed, and commit what it writes:
//
//   node packages/backend-webgpu/tools/compile-tuning.js [--check]
//
// A file holds one table, or a list of tables of devices with the same vendor and architecture, such as one without
// and one with an optional feature. Choices whose gain is 1 are left out: there, the rules choose the same.
// With --check nothing is written, and the exit code is 1 if what is there is not what would be written.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { readTable } from "../dist/attention/tuning/table.js";

const root = join(import.meta.dirname, "..");
const source = join(root, "tuning");
const target = join(root, "src/attention/tuning/generated");

/** @returns {Map<string, string>} the modules' texts by their names */
export function compiled() {
  const files = readdirSync(source)
    .filter((name) => name.endsWith(".json"))
    .sort();
  const modules = new Map();
  const entries = files.map((file) => {
    const name = basename(file, ".json");
    const read = JSON.parse(readFileSync(join(source, file), "utf8"));
    const tables = Array.isArray(read) ? read : [read];
    const devices = tables.map((table) => {
      const checked = readTable(table);
      if ("reason" in checked) throw new Error(`${file}: ${checked.reason}`);
      return checked.device;
    });
    const [{ vendor, architecture }] = devices;
    if (devices.some((d) => d.vendor !== vendor || d.architecture !== architecture)) {
      throw new Error(`${file}: its tables are of several architectures`);
    }
    const faster = tables.map((table) => ({
      ...table,
      choices: Object.fromEntries(Object.entries(table.choices).filter(([, c]) => c.gain > 1)),
    }));
    modules.set(`${name}.ts`, moduleOf(file, faster));
    const device = `vendor: ${JSON.stringify(vendor)}, architecture: ${JSON.stringify(architecture)}`;
    return `  { ${device}, load: () => import("./${name}.js") },\n`;
  });
  modules.set("index.ts", indexOf(entries));
  return modules;
}

const heading = (from) => `// Written by tools/compile-tuning.js from ${from}.\n`;

function moduleOf(file, tables) {
  // Text that is parsed when it is needed is smaller and faster than an object in the module.
  const text = JSON.stringify(JSON.stringify(tables));
  return `${heading(`tuning/${file}`)}export const tables: readonly unknown[] = JSON.parse(\n  ${text},\n);\n`;
}

function indexOf(entries) {
  return `${heading("tuning/*.json")}
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
