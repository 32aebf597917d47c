// Tries mutants of WGSL in one process, as its parent sends them: each on a device of its own, on which the cases
// that dispatch the changed line run until one fails. The parent ends the process if a kernel hangs.
import { checkCase } from "@heed/conformance";
import { backendOn, configurations, dispatchingCases, open } from "./cases.js";

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
const prototype = Object.getPrototypeOf(intact.device);
const { createShaderModule } = prototype;
/** The mutant at hand. */
let mutant = null;
prototype.createShaderModule = function (descriptor) {
  if (mutant === null) return createShaderModule.call(this, descriptor);
  const lines = descriptor.code.split("\n");
  const code = lines.map((line) => (line === mutant.line ? mutant.changed : line)).join("\n");
  return createShaderModule.call(this, { ...descriptor, code });
};

/** Cases that a mutant has to survive: shared lines are in thousands of cases. */
const mostCases = 90;

/** Seconds of compilation that a mutant has to survive, about. */
const mostCompilation = 40;

/** Cases of one set of kernels that run one after another: once these are compiled, a case takes a moment. */
const casesAtOnce = 8;

/**
 * The cases that dispatch a line: the most telling, then those of one set of kernels after another, the quickest to
 * compile first, and then further cases of the same kernels.
 */
function candidatesFor(line) {
  const groups = new Map();
  for (const candidate of all) {
    if (!candidate.lines.some((lines) => lines.has(line))) continue;
    const key = candidate.kernels.join();
    if (!groups.has(key)) groups.set(key, { cost: costOf(candidate), list: [] });
    groups.get(key).list.push(candidate);
  }
  const times = ({ case: { id } }) => noticed.get(id) ?? 0;
  const sorted = [...groups.values()].sort((a, b) => a.cost - b.cost);
  for (const { list } of sorted) list.sort((a, b) => times(b) - times(a) || a.rank - b.rank);
  let left = mostCompilation;
  const compiled = sorted.filter(({ cost }) => {
    left -= cost;
    return left + cost > 0;
  });
  const first = compiled.map(({ list }) => list[0]).filter((candidate) => times(candidate) > 0);
  first.sort((a, b) => times(b) / costOf(b) - times(a) / costOf(a));
  return [
    ...new Set([
      ...first.slice(0, 4),
      ...compiled.flatMap(({ list }) => list.slice(0, casesAtOnce)),
      ...compiled.flatMap(({ list }) => list.slice(casesAtOnce, 4 * casesAtOnce)),
    ]),
  ].slice(0, mostCases);
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

process.on("message", async ({ mutant: tried }) => {
  process.send({ result: await tryMutant(tried) });
});
process.send({});
