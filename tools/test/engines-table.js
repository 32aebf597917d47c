// `node tools/test/engines-table.js REPORT README.md [--write]`: checks that README.md's table of engines says what
// the tests found in them, from the report that HEED_TEST_REPORT named; with --write, makes it say so. Versions are
// not compared: a new one of a browser does not make the table stale.
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const begin = "<!-- engines: written by tools/test/engines-table.js -->";
const end = "<!-- end of engines -->";

const engines = {
  firefox: "Firefox {} (SpiderMonkey)",
  webkit: "WebKitGTK {} (JavaScriptCore, Safari's engine)",
  deno: "Deno {} (V8)",
  bun: "Bun {} (JavaScriptCore)",
};
const backends = { js: "js", wasm: "wasm", "onnx:wasm": "onnx, on wasm", webgpu: "webgpu" };

/**
 * The table, of results by engine.
 *
 * @param {readonly { title: string, results: readonly { outcome: string, profile: string }[] }[]} tested
 *   titles as `testEngine` makes them: `"webgpu in firefox 153.8 on llvmpipe"`
 */
export function enginesTable(tested) {
  const rows = new Map();
  for (const { title, results } of tested) {
    const [, backend, engine, version, where] =
      /^(\S+) in (\w+) ([\d.]+)(?: on (.+))?$/.exec(title) ?? [];
    if (!(backend in backends) || !(engine in engines)) continue;
    const row = rows.get(engine) ?? { version, cells: {} };
    rows.set(engine, row);
    const cell = describeResults(results) + (where ? ` (${where})` : "");
    row.cells[backend] = row.cells[backend] ? `${row.cells[backend]}; ${cell}` : cell;
  }
  const columns = Object.keys(backends);
  const lines = Object.keys(engines)
    .filter((engine) => rows.has(engine))
    .map((engine) => {
      const { version, cells } = rows.get(engine);
      return [engines[engine].replace("{}", version), ...columns.map((c) => cells[c] ?? "–")];
    });
  const header = ["engine", ...Object.values(backends)];
  return [header, header.map(() => "---"), ...lines].map((l) => `| ${l.join(" | ")} |`).join("\n");
}

/** A few words: what was asked, and what came. */
function describeResults(results) {
  const failed = results.filter(({ outcome }) => outcome === "fail").length;
  const refused = results.filter(({ outcome }) => outcome === "unsupported").length;
  const profiles = [...new Set(results.map(({ profile }) => profile))];
  const asked = profiles.length === 1 ? profiles[0] : "all";
  if (failed > 0) return `${asked}, ${failed} wrong`;
  return refused > 0 ? `${asked}, but for refusals` : asked;
}

/** A table whose versions do not matter. */
const withoutVersions = (table) => table.replace(/\d[\d.]*/g, "#");

function main([file, readme, write]) {
  const { conformance } = JSON.parse(readFileSync(file, "utf8"));
  const text = readFileSync(readme, "utf8");
  const [start, to] = [text.indexOf(begin) + begin.length, text.indexOf(end)];
  if (start < begin.length || to < start)
    throw new Error(`${readme} lacks "${begin}" and "${end}"`);
  const table = enginesTable(conformance);
  if (write === "--write") {
    writeFileSync(readme, `${text.slice(0, start)}\n\n${table}\n\n${text.slice(to)}`);
  } else if (withoutVersions(table) !== withoutVersions(text.slice(start, to).trim())) {
    console.error(`${readme}: the table of engines is stale; the tests found:\n${table}`);
    process.exitCode = 1;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) main(process.argv.slice(2));
