// Writes docs/mutation-scores.md from the results that `pnpm mutants` has left.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { equivalentsOf, nameOf, whyEquivalent } from "./equivalents.js";
import { scoreOf } from "./score.js";

/** Rows of the report: the result's file, and what was mutated and asked. */
const rows = [
  ["core", "core", "TypeScript", "the package's tests"],
  ["backend-js", "backend-js", "TypeScript", "the package's own tests, then the suite's cases"],
  [
    "backend-wasm",
    "backend-wasm",
    "AssemblyScript",
    "the suite's cases on four configurations, then the package's own tests",
  ],
  [
    "backend-webgpu",
    "backend-webgpu",
    "WGSL",
    "the suite's cases, then the package's own tests, on SwiftShader",
  ],
  [
    "backend-onnx",
    "backend-onnx",
    "ONNX graphs",
    "the suite's cases on `cpu`, which also computes the graphs for WebGPU",
  ],
];

const page = "docs/mutation-scores.md";

/** Writes the page. What it says of packages without a result stays. */
export function writeReport() {
  const before = existsSync(page) ? readFileSync(page, "utf8") : "";
  const found = rows.flatMap(([file, name, language, judge]) => {
    const path = `results/mutants/${file}.json`;
    if (!existsSync(path)) return keptOf(before, name);
    const { seed, of, results } = JSON.parse(readFileSync(path, "utf8"));
    // The list of equivalents may be longer than when the mutants were tried.
    const now = results.map((mutant) => {
      const reason = mutant.outcome === "lives" ? whyEquivalent(name, mutant) : null;
      return reason === null ? mutant : { ...mutant, outcome: "equivalent", reason };
    });
    return [{ name, ...textOf({ name, language, judge, seed, of, results: now }) }];
  });
  writeFileSync(page, text(found));
}

/** Names of the mutants that the page lists as living. */
export function livingOf(name) {
  const before = existsSync(page) ? readFileSync(page, "utf8") : "";
  const lines = keptOf(before, name).flatMap(({ living }) => living);
  return new Set(lines.map((line) => line.replace(/^- (`+) ?| ?`+$/g, "")));
}

/** The row and the list of a package as the page has them; nothing if it has none. */
function keptOf(before, name) {
  const row = before.split("\n").find((line) => line.startsWith(`| \`${name}\` |`));
  if (row === undefined) return [];
  const [, list = ""] = before.split(`\n### ${name}\n`);
  const living = list
    .split(/\n##/)[0]
    .split("\n")
    .filter((line) => line.startsWith("- "));
  return [{ name, row, living }];
}

const code = (text) => {
  const fence = text.includes("`") ? "``" : "`";
  return fence.length === 2 ? `${fence} ${text} ${fence}` : `${fence}${text}${fence}`;
};

/** The row of a package in the table, and a line for each mutant that lives. */
function textOf({ name, language, judge, seed, of, results }) {
  const { score, counted, notCounted } = scoreOf(results);
  const others = Object.entries(notCounted).map(([why, count]) => `${count} ${why}`);
  const living = results.filter(({ outcome }) => outcome === "lives");
  return {
    row: `| \`${name}\` | ${language} | ${judge} | ${results.length} of ${of}, seed ${seed} | ${others.join("; ") || "none"} | ${counted} | **${score.toFixed(1)} %** |`,
    living: living.map((mutant) => `- ${code(nameOf(mutant))}`),
  };
}

function text(found) {
  const scores = found.map(({ row }) => row);
  const living = found.flatMap(({ name, living: own }) =>
    own.length === 0 ? [] : [`### ${name}`, "", ...own, ""],
  );
  const equivalent = found.flatMap(({ name }) =>
    equivalentsOf(name).flatMap(({ reason, files = [], lines = [], mutants = [] }) => [
      `- \`${name}\`: ${reason}`,
      ...files.map((file) => `  - every one of ${code(file)}`),
      ...lines.map((line) => `  - every one of ${code(line)}`),
      ...mutants.map((mutant) => `  - ${code(mutant)}`),
    ]),
  );
  return `# Scores of mutants

\`pnpm mutants PACKAGE\` draws small changes of a package's code by seed, such as another comparison, another constant or a
dropped statement, tries them one at a time, and counts how many are noticed. [mutants.md](mutants.md) lists bugs that were chosen; these were not.
This page is written by \`pnpm mutants report\` from the last results.

| package | what is changed | what is asked | drawn | not counted | counted | noticed |
| --- | --- | --- | --- | --- | --- | --- |
${scores.join("\n")}

TypeScript is changed by the mutators of [Stryker](https://stryker-mutator.io), but for strings, since the wording of messages
is not tested. A line of WGSL is changed in every kernel that has it; a line of the code that builds ONNX graphs, in
every graph. A mutant that makes a test hang counts as noticed.

## Mutants that live

${living.length > 0 ? living.join("\n") : "None.\n"}
## Equivalent mutants

They compute the same as the code that they change, and are not counted. The list is \`tools/mutants/equivalents.json\`; those of
AssemblyScript that compile to the same bytes are found by the tool itself.

${equivalent.join("\n") || "None."}
`;
}
