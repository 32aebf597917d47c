// The matrix of devices and engines, made of the files in `reports/`. They come from strangers: each is checked, and
// every text of theirs is escaped, for HTML and for vitepress' templates.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  adapterOf,
  bestRate,
  deviceTitle,
  engineName,
  engineTitle,
  parseDeviceReport,
  totals,
  tuningInWords,
} from "@heed/conformance/device-report";
import { htmlEscape } from "escape-goat";

/** Columns that come first, in this order; others follow by name. */
const engineOrder = ["node", "chromium", "firefox", "safari", "webkit", "deno", "bun"];

/**
 * The reports of a folder, in the order of their names.
 *
 * @param {string} folder
 * @returns {{ file: string, report: import("@heed/conformance/device-report").DeviceReport }[]}
 */
export function readReports(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((file) => ({
      file,
      report: parseDeviceReport(readFileSync(join(folder, file), "utf8"), file),
    }));
}

/**
 * Puts the matrix in the place of `<!-- devices -->`.
 *
 * @param {string} text Markdown
 * @param {ReturnType<typeof readReports>} reports
 * @param {string} base path under which the site is hosted
 */
export function embedDevices(text, reports, base) {
  return text.replace(/^<!-- devices -->$/m, () => deviceMatrix(reports, base));
}

/** A row for each device, a column for each engine, as HTML without an empty line, which Markdown leaves alone. */
export function deviceMatrix(reports, base) {
  const rank = (engine) =>
    (engineOrder.indexOf(engine) + engineOrder.length + 1) % (engineOrder.length + 1);
  const engines = [...new Set(reports.map(({ report }) => report.environment.engine))].sort(
    (a, b) => rank(a) - rank(b) || a.localeCompare(b),
  );
  const devices = new Map();
  for (const one of reports) {
    const title = deviceTitle(one.report);
    devices.set(title, [...(devices.get(title) ?? []), one]);
  }
  const rows = [...devices].map(([title, own]) => {
    const cells = engines.map((engine) => {
      const here = own.filter(({ report }) => report.environment.engine === engine);
      return `<td>${here.map((one) => cell(one, base)).join("")}</td>`;
    });
    return `<tr><th scope="row">${htmlEscape(title)}</th>${cells.join("")}</tr>`;
  });
  const head = engines.map((engine) => `<th scope="col">${htmlEscape(engineName(engine))}</th>`);
  return [
    '<div class="wide devices" role="group" aria-label="Devices and engines" tabindex="0" v-pre>',
    `<table><thead><tr><th scope="col">device</th>${head.join("")}</tr></thead>`,
    `<tbody>${rows.join("\n")}</tbody></table></div>`,
  ].join("\n");
}

/** A report in few words: a link that opens it, and a line for each backend. */
function cell({ file, report }, base) {
  const { conformance = [], benchmark, tuning } = report;
  const measured = benchmark?.contenders.filter(({ kind }) => kind === "backend") ?? [];
  const names = new Set([...conformance, ...measured].map((one) => one.backend ?? one.name));
  const lines = [...names].map((name) => {
    const suite = conformance.find(({ backend }) => backend === name);
    const rate = benchmark && bestRate(benchmark, name);
    const words = [
      ...(suite ? [suiteInWords(suite)] : []),
      ...(rate ? [`${Number(rate.gflops.toPrecision(2))}\u00a0GFLOP/s`] : []),
    ];
    return `<li><b>${htmlEscape(name)}</b> ${words.join(", ")}</li>`;
  });
  const adapter = adapterOf(report);
  const gpu = adapter === null ? "" : `<span class="gpu">${htmlEscape(adapter)}</span>`;
  const choices = tuning ? `<span class="gpu">${htmlEscape(tuningInWords(tuning))}</span>` : "";
  const address = `${base}bench/?report=${encodeURIComponent(`../reports/${file}`)}`;
  const title = htmlEscape(engineTitle(report));
  return `<div class="report"><a href="${address}" target="_self">${title}</a><ul>${lines.join("")}</ul>${gpu}${choices}</div>`;
}

function suiteInWords(backend) {
  if (backend.unavailable) return "unavailable";
  const { pass, fail, unsupported, "known-failure": known } = totals(backend);
  const wrong = fail + known;
  const profiles = Object.keys(backend.profiles);
  const only = profiles.length === 1 ? ` of ${htmlEscape(profiles[0])}` : "";
  return [
    `<span class="${wrong > 0 ? "fails" : "passes"}">${wrong > 0 ? "✗" : "✓"} ${pass}${only}</span>`,
    ...(wrong > 0 ? [`${wrong} wrong`] : []),
    ...(unsupported > 0 ? [`${unsupported} refused`] : []),
  ].join(", ");
}
