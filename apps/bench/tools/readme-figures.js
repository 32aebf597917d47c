// Writes figures and tables of this app's README and of the repository's from a result file: `node
// tools/readme-figures.js report.json [CPU]` in apps/bench, after a build. A report of the suite `decode` or
// `sparse` alone gives that suite's table in this app's README; one of several engines the table of them in the
// repository's README; any other one the rest. The figure is what the HTML report draws, with its colours for light and
// dark put into the file. CPU names the processor, where the system tells less of it than is known, as virtual machines
// do.
import { readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { markdownTable } from "markdown-table";
import { chromium } from "playwright-core";
import { reportToHtml } from "../dist/cli/html.js";
import { describeMachine, describeVersions } from "../dist/report/describe.js";
import { formatNumber } from "../dist/report/format.js";
import { reportToMarkdown } from "../dist/report/markdown.js";
import { parseReport } from "../dist/report/parse.js";
import { rowsOf } from "../dist/report/rows.js";
import { decodeTable, enginesTable, sparseTable } from "./suite-tables.js";

const here = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const [, , file, cpu] = process.argv;
const measured = parseReport(JSON.parse(await readFile(file, "utf8")));
const report = {
  ...measured,
  environments: measured.environments.map((e) => ({ ...e, cpu: cpu ?? e.cpu })),
};

/** The overview as a file of its own, in milliseconds. */
async function drawFigure() {
  const html = join(tmpdir(), `heed-readme-${process.pid}.html`);
  await writeFile(html, await reportToHtml(report, null));
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
    args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
  });
  try {
    const page = await browser.newPage({ viewport: { width: 860, height: 900 } });
    await page.goto(pathToFileURL(html).href);
    await page.getByLabel("Quantity of all cases").selectOption("ms");
    const colors = {};
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      colors[colorScheme] = await page.evaluate(() => {
        const probe = document.body.appendChild(document.createElement("i"));
        const names = [
          "text",
          "surface",
          "bad",
          ...Array.from({ length: 10 }, (_, i) => `series-${i}`),
        ];
        const rules = names.map((name) => {
          probe.style.color = `var(--${name})`;
          return `--${name}:${getComputedStyle(probe).color}`;
        });
        probe.remove();
        return rules.join(";");
      });
    }
    const { svg, legend } = await page.evaluate(() => ({
      svg: document.querySelector(".chart-frame svg").outerHTML,
      legend: [...document.querySelectorAll(".legend button")].map((button) => ({
        name: button.textContent,
        path: button.querySelector("path").outerHTML,
      })),
    }));
    return compose(svg, legend, colors);
  } finally {
    await browser.close();
    await rm(html);
  }
}

/** The drawing under its legend, on a ground of its own, with both sets of colours. */
function compose(svg, legend, colors) {
  const [, width, height] = /width="(\d+)" height="(\d+)"/.exec(svg);
  const top = 34;
  const keys = legend.map(
    ({ name, path }, i) =>
      `<g transform="translate(${18 + i * 130} 18)">${path}<text x="12" y="4">${name}</text></g>`,
  );
  const nested = svg
    .replace("<svg ", `<svg y="${top}" `)
    .replaceAll("&nbsp;", " ")
    .replace(' aria-hidden="true"', "");
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${Number(height) + top}" role="img" aria-label="Time of a call, by case and backend">
<style>
svg{${colors.light};color:var(--text);font:12px system-ui,sans-serif}
text{fill:currentColor}
@media(prefers-color-scheme:dark){svg{${colors.dark}}}
</style>
<rect width="100%" height="100%" rx="8" fill="var(--surface)"/>
${keys.join("\n")}
${nested}
</svg>
`;
}

/** Markdown table of every backend's median time in milliseconds by case; untimed results are left out. */
function summary() {
  const rows = rowsOf(report).filter(({ numbers }) => numbers !== null);
  const backends = [...new Set(rows.map(({ result }) => result.contender))];
  const cases = [...new Set(rows.map((row) => row.report.id))];
  const cell = (id, backend) => {
    const row = rows.find((r) => r.report.id === id && r.result.contender === backend);
    return row ? formatNumber(row.numbers.median) : "";
  };
  const table = markdownTable(
    [
      ["median ms of a call", ...backends.map((name) => `\`${name}\``)],
      ...cases.map((id) => [id, ...backends.map((backend) => cell(id, backend))]),
    ],
    { align: ["l", ...backends.map(() => "r")] },
  );
  const [environment] = report.environments;
  const machine = `${describeMachine(environment)}; ${describeVersions(environment)}; ${report.options.dtype}, ${report.options.threads} thread`;
  const contenders = report.contenders
    .filter(({ name }) => backends.includes(name))
    .map(({ name, info }) => `\`${name}\` is ${[info.runtime, ...info.features].join(" with ")}`);
  return `${machine}. ${contenders.join(", ")}.\n\n${table}`;
}

/** Puts text between a README's markers. */
async function intoReadme(path, text, name = "figures") {
  const readme = await readFile(path, "utf8");
  const [start, end] = [`<!-- ${name}: written by readme-figures.js -->`, `<!-- /${name} -->`];
  const from = readme.indexOf(start);
  const to = readme.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${path} has lost its markers`);
  await writeFile(
    path,
    `${readme.slice(0, from)}${start}\n\n${text.trim()}\n\n${readme.slice(to)}`,
  );
}

const suites = new Set(report.cases.map(({ suite }) => suite));
const tables = { decode: decodeTable, sparse: sparseTable };
const [only] = suites.size === 1 ? suites : [];
if (report.environments.length > 1) {
  await intoReadme(here("../../README.md"), enginesTable(report), "engine-speeds");
} else if (Object.hasOwn(tables, only ?? "")) {
  await intoReadme(here("README.md"), tables[only](report), only);
} else {
  const alt = "Time of a call, by case and backend";
  await writeFile(here("generated/results.svg"), await drawFigure());
  await intoReadme(
    here("README.md"),
    // Without the figure: npm shows this file, and the package has no pictures.
    reportToMarkdown(report),
  );
  await intoReadme(
    here("../../README.md"),
    `![${alt}](apps/bench/generated/results.svg)\n\n${summary()}`,
  );
}
