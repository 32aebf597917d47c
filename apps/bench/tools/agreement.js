// Do the command line and the web page find the same? Measures in Node and in a headless chromium by
// turns, a process and a page each time, and compares case by case. Run after a build:
//
//   node apps/bench/tools/agreement.js [--cases standard] [--backends wasm:baseline,js]
//     [--launches 5] [--budget 200] [--json agreement.json]
//
// The build of wasm is pinned, since chromium has relaxed SIMD and Node 20 has not. What this cannot pin
// are the two releases of V8, so that a Node of about chromium's age says most, and what memory costs:
// chromium maps pages anew for each large output, which shows where a call makes much of it in little
// time.
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { markdownTable } from "markdown-table";
import { mean, median } from "simple-statistics";
import { measureInChromium } from "../dist/cli/chromium.js";
import { measureInProcess } from "../dist/cli/launch.js";
import { trimmedMean, welch } from "../dist/compare/t-test.js";
import { formatNumber } from "../dist/report/format.js";
import { requestFromParams } from "../dist/request.js";

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "standard" },
    backends: { type: "string", default: "wasm:baseline,js" },
    launches: { type: "string", default: "5" },
    budget: { type: "string", default: "200" },
    json: { type: "string" },
  },
});
const { cases, backends, budget } = values;
const request = requestFromParams(new URLSearchParams({ cases, backends, budget }));
const launches = Number(values.launches);
/** Differences up to this are none, if the launches' own spread does not already explain them. */
const tolerated = 0.05;

const node = [];
const page = [];
for (let launch = 0; launch < launches; launch++) {
  console.error(`launch ${launch + 1} of ${launches}`);
  node.push(await measureInProcess(request));
  page.push(await measureInChromium(request, new AbortController().signal, () => {}));
}

/** Logarithms of the medians that each launch found, by case and backend. */
function logsOf(reports) {
  const logs = new Map();
  for (const { cases: all } of reports) {
    for (const { id, results } of all) {
      for (const { contender, status, timing } of results) {
        if (status !== "measured") throw new Error(`${contender} on ${id}: ${status}`);
        const key = `${id} ${contender}`;
        logs.set(key, [...(logs.get(key) ?? []), Math.log(timing.median)]);
      }
    }
  }
  return logs;
}

const here = logsOf(node);
const there = logsOf(page);
const rows = [...here].map(([key, a]) => {
  const [id, backend] = key.split(" ");
  const b = there.get(key);
  const { interval } = welch(a, b);
  const log = mean(b) - mean(a);
  const within = (interval[0] <= 0 && interval[1] >= 0) || Math.abs(log) <= Math.log1p(tolerated);
  return {
    id,
    backend,
    node: Math.exp(median(a)),
    page: Math.exp(median(b)),
    log,
    interval,
    within,
  };
});

const factor = (log) => Math.exp(log).toFixed(3);
console.log(
  markdownTable([
    ["case", "backend", "node ms", "page ms", "page / node", "95 %", "within noise"],
    ...rows.map(({ id, backend, log, interval, within, ...ms }) => [
      id,
      backend,
      formatNumber(ms.node),
      formatNumber(ms.page),
      factor(log),
      `${factor(interval[0])}–${factor(interval[1])}`,
      within ? "yes" : "NO",
    ]),
  ]),
);
for (const backend of request.backends) {
  const own = rows.filter((row) => row.backend === backend);
  const { value, interval } = trimmedMean(own.map(({ log }) => log));
  const good = own.filter(({ within }) => within).length;
  const range = interval ? ` (${factor(interval[0])}–${factor(interval[1])})` : "";
  console.log(
    `${backend}: page / node ${factor(value)}${range} over all, ${good} of ${own.length} cases within noise`,
  );
}
if (values.json) await writeFile(values.json, JSON.stringify({ node, page, rows }, null, 2));
