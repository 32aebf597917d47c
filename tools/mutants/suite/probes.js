// The conformance suite as a judge of many mutants in one process. What each case gives without a mutant is kept, so
// that a case whose outputs have the same bits under a mutant need not be judged again. Laws, behaviours and recorded
// vectors are left out: they take most of the suite's time.
import { caseInputs, checkCase, selectCases } from "@heed/conformance";
import { describeProblem } from "@heed/core";
import { readState, writeState } from "./state.js";

/** Multiply-adds of a case, to run small ones first. */
function workOf({ batch, queryHeads, queryLength, keyLength, headDim, valueDim }) {
  return batch * queryHeads * queryLength * keyLength * (headDim + valueDim);
}

/** Larger cases take seconds, and the rules of smaller ones. */
const mostWork = 2e7;

/** Cases whose outputs differ under a mutant, within what is allowed, and which are judged one by one until then. */
const mostJudged = 150;

/** Random problems for each law of an operation. */
const runs = 2;

/** Cases that combine many rules are likely to notice something. */
const manyRules = /^masks\/everything|pair/;

/** Copies of the outputs' bytes. */
const copyOf = (outputs) =>
  Object.entries(outputs).map(([name, { data }]) => [
    name,
    Buffer.from(Buffer.from(data.buffer, data.byteOffset, data.byteLength)),
  ]);

function sameAs(copies, outputs) {
  const entries = Object.entries(outputs);
  return (
    entries.length === copies.length &&
    copies.every(([name, bytes]) => {
      const data = outputs[name]?.data;
      return (
        data !== undefined &&
        bytes.equals(Buffer.from(data.buffer, data.byteOffset, data.byteLength))
      );
    })
  );
}

/**
 * @typedef {object} Configuration
 * @property {string} name
 * @property {() => Promise<import("@heed/core").AttentionBackend>} open loads the backend as it is now, with the
 *   mutant if one is planted
 * @property {boolean} [mayFail] whether cases that fail without a mutant are left out: they notice nothing
 */

/**
 * @typedef {object} Reached says what a case reached
 * @property {() => void} start forgets what was reached
 * @property {() => ReadonlySet<unknown>} read what was reached since
 */

export class Probes {
  /** @type {{ configuration: Configuration, turn: number, case: object, call?: () => object, copies?: object[], reached: ReadonlySet<unknown>, rank: number, noticed: number, milliseconds: number }[]} */
  all = [];

  /**
   * Runs every case without a mutant; only those whose id contains `HEED_MUTANTS_CASES`, if it is set.
   *
   * @param {readonly Configuration[]} configurations
   * @param {Reached} [reached]
   * @param {(c: object) => boolean} [isWanted]
   */
  static async run(configurations, reached, isWanted = () => true) {
    const probes = new Probes();
    const known = readState("cases");
    const state = {};
    for (const [turn, configuration] of configurations.entries()) {
      const backend = await configuration.open();
      for (const c of selectCases({ filter: process.env.HEED_MUTANTS_CASES })) {
        if ("run" in c || "folder" in c || !isWanted(c, configuration)) continue;
        const key = `${configuration.name}, ${c.id}`;
        // The parts of the code that a case reached are objects of this process.
        if (!reached && known && key in known) {
          if (known[key]) probes.all.push(restored(known[key], configuration, turn, c));
          continue;
        }
        reached?.start();
        const started = performance.now();
        const probe = await probes.#intact(backend, configuration, turn, c);
        state[key] = null;
        if (probe === null) continue;
        probe.milliseconds = performance.now() - started;
        probe.reached = reached?.read() ?? new Set();
        probes.all.push(probe);
        const { rank, milliseconds, copies } = probe;
        const bytes = copies?.map(([name, copy]) => [name, copy.toString("base64")]);
        state[key] = { rank, milliseconds, copies: bytes };
      }
      backend.dispose();
    }
    if (!reached && !known) writeState("cases", state);
    return probes;
  }

  /** @returns null for a case that cannot notice a mutant */
  async #intact(backend, configuration, turn, c) {
    const probe = { configuration, turn, case: c, noticed: 0, rank: 1e9 };
    if (!("spec" in c)) {
      const { outcome } = await check(backend, configuration, c);
      return outcome === "pass" ? probe : null;
    }
    const inputs = caseInputs(c);
    const problem = describeProblem(inputs);
    const work = workOf(problem);
    if (work > mostWork || !backend.supports(problem).ok) return null;
    probe.rank = work * (manyRules.test(c.id) ? 1e-3 : 1);
    if (configuration.mayFail) {
      const { outcome } = await check(backend, configuration, c);
      if (outcome !== "pass") return null;
    }
    const outputs = await runOnce(backend, { inputs, problem });
    return { ...probe, call: () => ({ inputs, problem }), copies: copyOf(outputs) };
  }

  /**
   * Whether some case notices the mutant that is planted.
   *
   * @param {unknown} [key] what a case has to have reached to notice it; by default every case may
   * @param {(running: string) => void} running is told each case
   * @returns {Promise<{ outcome: "noticed" | "lives", by?: string, failures?: readonly string[], cases: number, differ: number }>}
   *   cases: how many ran; differ: in how many the bits of outputs differed
   */
  async judge(key, running) {
    const candidates = this.all.filter(({ reached }) => key === undefined || reached.has(key));
    if (candidates.length === 0) return this.#judgeLoading();
    // Quick ones that noticed others first; then those whose bits can be compared; those of other operations last, and
    // other configurations after the first.
    candidates.sort((a, b) => worth(b) - worth(a) || a.turn - b.turn || a.rank - b.rank);
    const backends = new Map();
    let differ = 0;
    let cases = 0;
    try {
      for (const probe of candidates) {
        const { configuration, case: c } = probe;
        running(`${configuration.name}, ${c.id}`);
        cases += 1;
        const backend = backends.get(configuration) ?? (await opened(configuration));
        if (backend instanceof Error) {
          const failures = [backend.message];
          return {
            outcome: "noticed",
            by: `${configuration.name}, loading`,
            failures,
            cases,
            differ,
          };
        }
        backends.set(configuration, backend);
        const suspicion = await suspect(backend, probe);
        if (suspicion === null) continue;
        differ += 1;
        const judged =
          suspicion === "differs" && differ > mostJudged
            ? { outcome: "pass" }
            : suspicion === "differs"
              ? await check(backend, configuration, c)
              : suspicion;
        if (judged.outcome === "pass") continue;
        probe.noticed += 1;
        const failures = judged.failures.slice(0, 2);
        return {
          outcome: "noticed",
          by: `${configuration.name}, ${c.id}`,
          failures,
          cases,
          differ,
        };
      }
      return { outcome: "lives", cases, differ };
    } finally {
      for (const backend of backends.values()) backend.dispose();
    }
  }

  /** No case reaches the mutant, but loading may. */
  async #judgeLoading() {
    const [{ configuration }] = this.all;
    const backend = await opened(configuration);
    if (!(backend instanceof Error)) {
      backend.dispose();
      return { outcome: "lives", reached: false, cases: 0, differ: 0 };
    }
    const by = `${configuration.name}, loading`;
    return { outcome: "noticed", by, failures: [backend.message], cases: 0, differ: 0 };
  }
}

/** The probe that an earlier process has made. */
function restored({ rank, milliseconds, copies }, configuration, turn, c) {
  let call = null;
  return {
    ...{ configuration, turn, case: c, rank, milliseconds, noticed: 0, reached: new Set() },
    call: () => {
      if (call === null) {
        const inputs = caseInputs(c);
        call = { inputs, problem: describeProblem(inputs) };
      }
      return call;
    },
    copies: copies?.map(([name, text]) => [name, Buffer.from(text, "base64")]),
  };
}

/** @returns the backend, or the reason why it does not load */
const opened = ({ open }) => open().catch((error) => error);

const worth = ({ noticed, milliseconds }) => (noticed === 0 ? 0 : noticed / (5 + milliseconds));

/** @returns null if nothing is to be seen, "differs" if the outputs' bits do, or the case's result */
async function suspect(backend, { configuration, case: c, call, copies }) {
  if (copies === undefined) {
    const result = await check(backend, configuration, c);
    return result.outcome === "pass" ? null : result;
  }
  try {
    return sameAs(copies, await runOnce(backend, call())) ? null : "differs";
  } catch (error) {
    return { outcome: "fail", failures: [String(error?.message ?? error)] };
  }
}

/** Some cases load backends of their own, and dispose them. */
function check(backend, { open }, c) {
  return checkCase({ backend, provider: { name: backend.name, load: open } }, c, { runs });
}

async function runOnce(backend, { inputs, problem }) {
  const plan = await backend.plan(problem);
  try {
    return await plan.run(inputs);
  } finally {
    plan.dispose();
  }
}
