// Do the command line and the web page find the same? Measures in Node and in a headless chromium by
// turns, a process and a page each time, and compares case by case. Run after a build:
//
//   node apps/bench/tools/agreement.js [--cases standard] [--backends wasm:baseline,js]
//     [--launches 5] [--budget 200] [--json agreement.json]
//
// The build of wasm is pinned, since chromium has relaxed SIMD and Node 20 has not. What this cannot pin
// are the two releases of V8, so that a Node of about chromium's age says most, and what a new array
// costs: chromium maps pages anew for each large output. The copying of an output from a backend's memory
// into such an array is timed for itself in every report, so calls are compared without it, and with it
// below.
//
// A launch in Node and one of the page run one after the other, in alternating order, and each such pair
// gives a ratio: what makes the machine faster or slower for longer than that does not count. A case's
// ratio is the pairs' trimmed mean, on a logarithmic scale.
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { markdownTable } from "markdown-table";
import { median } from "simple-statistics";
import { measureInChromium } from "../dist/cli/chromium.js";
import { measureInProcess } from "../dist/cli/launch.js";
import { trimmedMean } from "../dist/compare/t-test.js";
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
  const inNode = async () => node.push(await measureInProcess(request));
  const onPage = async () =>
    page.push(await measureInChromium(request, new AbortController().signal, () => {}));
  for (const measure of launch % 2 === 0 ? [inNode, onPage] : [onPage, inNode]) await measure();
}

/** A report's median ms of calls, and of reading the output within them, by case and backend. */
function timesOf({ cases: all }) {
  const times = new Map();
  for (const { id, results } of all) {
    for (const { contender, status, timing, readTiming } of results) {
      if (status !== "measured") throw new Error(`${contender} on ${id}: ${status}`);
      times.set(`${id} ${contender}`, { whole: timing.median, read: readTiming?.median ?? 0 });
    }
  }
  return times;
}

const here = node.map(timesOf);
const there = page.map(timesOf);
const measures = {
  call: ({ whole, read }) => whole - read,
  "call and read": ({ whole }) => whole,
};

/** How a case differs by a measure. */
function compare(key, measure) {
  const logs = here.map((times, launch) =>
    Math.log(measure(there[launch].get(key)) / measure(times.get(key))),
  );
  const { value: log, interval } = trimmedMean(logs);
  const agrees = interval !== null && interval[0] <= 0 && interval[1] >= 0;
  return { log, interval, within: agrees || Math.abs(log) <= Math.log1p(tolerated) };
}

const middle = (launched, key, part) => median(launched.map((times) => part(times.get(key))));
const rows = [...here[0].keys()].map((key) => {
  const [id, backend] = key.split(" ");
  const of = (launched) => ({
    call: middle(launched, key, measures.call),
    read: middle(launched, key, ({ read }) => read),
  });
  const compared = Object.fromEntries(
    Object.entries(measures).map(([name, measure]) => [name, compare(key, measure)]),
  );
  return { id, backend, node: of(here), page: of(there), compared };
});

const factor = (log) => Math.exp(log).toFixed(3);
const range = (interval) =>
  interval ? `${factor(interval[0])}–${factor(interval[1])}` : "one launch tells none";
const parts = ({ call, read }) =>
  `${formatNumber(call)}${read > 0 ? ` + ${formatNumber(read)}` : ""}`;
console.log(
  markdownTable([
    ["case", "backend", "node ms + read", "page ms + read", "call, page / node", "95 %", "agrees"],
    ...rows.map(({ id, backend, compared: { call }, ...ms }) => [
      id,
      backend,
      parts(ms.node),
      parts(ms.page),
      factor(call.log),
      range(call.interval),
      call.within ? "yes" : "NO",
    ]),
  ]),
);
for (const backend of request.backends) {
  for (const name of Object.keys(measures)) {
    const own = rows.filter((row) => row.backend === backend).map(({ compared }) => compared[name]);
    const { value, interval } = trimmedMean(own.map(({ log }) => log));
    const good = own.filter(({ within }) => within).length;
    console.log(
      `${backend}, ${name}: page / node ${factor(value)} (${range(interval)}) over all, ${good} of ${own.length} cases agree`,
    );
  }
}
if (values.json) await writeFile(values.json, JSON.stringify({ node, page, rows }, null, 2));
