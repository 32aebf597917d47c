// Tries mutants of WGSL in one process, as its parent sends them: each on a device of its own, on which the cases
// that dispatch the changed line run until one fails. The parent ends the process if a kernel hangs.
import { checkCase } from "@heed/conformance";
import { PackageTests } from "../suite/package-tests.js";
import { backendOn, configurations, dispatchingCases, open } from "./cases.js";
import { packageTests } from "./package-tests.js";
import { replaceLines } from "./replace.js";

const all = await dispatchingCases();
/** How many mutants a case has noticed: cases that noticed many run first. */
const noticed = new Map();

/** Seconds, about, that a software adapter takes to compile a kernel. */
function compileTime(name) {
  if (name.startsWith("attention-tile") || name.startsWith("attention-decode")) return 3;
  if (/^attention-(scores|weights|alone|quad)/.test(name)) return 2;
  return 0.2;
}

/** Without a mutant: a case that fails there notices nothing. */
const intact = await open();
const passing = new Set();
/** The mutant at hand. */
let mutant = null;
replaceLines(Object.getPrototypeOf(intact.device), () => mutant);

/** Cases that a mutant has to survive: shared lines are in thousands of cases. */
const mostCases = 400;

/** Seconds of compilation that a mutant has to survive, about: a case of kernels that are compiled takes a hundredth. */
const mostCompilation = 20;

/** Cases of one set of kernels that run one after another, before those of the next set. */
const casesAtOnce = 8;

/** Computed alike by kernels with the line: one of them will do. */
const sameCase = ({ case: { id }, configuration }) =>
  `${configurations[configuration].limits ? "narrow " : ""}${id}`;

/**
 * The cases that dispatch a line, each once: the most telling first, then those of sets of kernels that together run many
 * cases for little compilation.
 */
function candidatesFor(line) {
  const groups = new Map();
  for (const candidate of all) {
    if (!candidate.lines.some((lines) => lines.has(line))) continue;
    const key = candidate.kernels.join();
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(candidate);
  }
  const times = ({ case: { id } }) => noticed.get(id) ?? 0;
  for (const list of groups.values()) {
    list.sort((a, b) => times(b) - times(a) || a.rank - b.rank);
  }
  const chosen = chooseGroups([...groups.values()]);
  const first = chosen.map(([candidate]) => candidate).filter((candidate) => times(candidate) > 0);
  first.sort((a, b) => times(b) / costOf(b) - times(a) / costOf(a));
  return [
    ...new Set([
      ...first.slice(0, 4),
      ...chosen.flatMap((list) => list.slice(0, casesAtOnce)),
      ...chosen.flatMap((list) => list.slice(casesAtOnce)),
    ]),
  ].slice(0, mostCases);
}

/** Sets of kernels, and the cases that no earlier set runs: as long as time is left, the most cases a second of compilation. */
function chooseGroups(groups) {
  const covered = new Set();
  const compiled = new Set();
  const chosen = [];
  let left = mostCompilation;
  while (left > 0) {
    let best = null;
    for (const list of groups) {
      const fresh = list.filter((candidate) => !covered.has(sameCase(candidate)));
      const cost = costOf({ kernels: list[0].kernels.filter((name) => !compiled.has(name)) });
      const worth = fresh.length / (cost + 0.05 * fresh.length);
      if (fresh.length > 0 && worth > (best?.worth ?? 0)) best = { fresh, cost, worth };
    }
    if (best === null) break;
    const unique = new Map(best.fresh.toReversed().map((one) => [sameCase(one), one]));
    chosen.push([...unique.values()].reverse());
    for (const key of unique.keys()) covered.add(key);
    for (const name of best.fresh[0].kernels) compiled.add(name);
    left -= best.cost;
  }
  return chosen;
}

/** Seconds, about, that the kernels of a case take to compile. */
const costOf = ({ kernels }) => kernels.reduce((sum, name) => sum + compileTime(name), 0);

/** @throws Error if a case fails without a mutant */
async function checkIntact(configuration, c) {
  const key = `${configuration} ${c.id}`;
  if (passing.has(key)) return;
  const backend = await backendOn(intact, configurations[configuration]);
  const found = await check(backend, c);
  backend.dispose();
  if (found.outcome === "fail") throw new Error(`${c.id} fails without a mutant`);
  passing.add(key);
}

function check(backend, c) {
  return checkCase({ backend, provider: { name: "webgpu", load: async () => backend } }, c);
}

async function tryMutant(tried) {
  const candidates = candidatesFor(tried.line);
  if (candidates.length === 0) return { outcome: "not dispatched", cases: 0 };
  mutant = tried;
  const own = await open();
  const backends = new Map();
  try {
    for (const [at, { configuration, case: c }] of candidates.entries()) {
      if (!backends.has(configuration)) {
        backends.set(configuration, await backendOn(own, configurations[configuration]));
      }
      const backend = backends.get(configuration);
      process.send({ running: `${configurations[configuration].name}, ${c.id}` });
      const { outcome } = await check(backend, c);
      if (outcome !== "fail") continue;
      mutant = null;
      await checkIntact(configuration, c);
      noticed.set(c.id, (noticed.get(c.id) ?? 0) + 1);
      return { outcome: "noticed", by: c.id, cases: at + 1 };
    }
    return { outcome: "lives", cases: candidates.length };
  } finally {
    mutant = null;
    for (const backend of backends.values()) backend.dispose();
    own.device.destroy();
  }
}

const tests = new PackageTests(packageTests);

async function askTests(tried) {
  const timer = setInterval(() => process.send({ running: "the package's tests" }), 5000);
  const found = await tests.judge(null, tried);
  clearInterval(timer);
  return found ?? { outcome: "lives" };
}

process.on("message", async ({ mutant: tried, asked }) => {
  process.send({ result: await (asked === "tests" ? askTests(tried) : tryMutant(tried)) });
});
process.send({});
