import type {
  BackendRecommendation,
  RecommendationCondition,
  RecommendationRule,
  RecommendedBackend,
} from "@heed/core";
import { runtimeName } from "../model/runtime-name.js";
import { describeMachine, describeVersions } from "../report/describe.js";
import { formatNumber } from "../report/format.js";
import type {
  BenchReport,
  CaseReport,
  ContenderReport,
  Environment,
  Measured,
} from "../report/report.js";
import { segment } from "./segments.js";

/** Advice on which backends to choose in one environment, from a report. */
export interface Advice {
  readonly environment: string;
  /**
   * For `createAttention({ select })`. It is for calls on tensors in JavaScript's memory: a call on
   * tensors of a backend runs on that backend, whatever is recommended.
   */
  readonly recommendation: BackendRecommendation;
  /** The calls that `recommendation` and `words` apply to, as a phrase. */
  readonly holds: string;
  /** The recommendation in words, one line per rule. */
  readonly words: readonly string[];
  /**
   * Fastest backends for inputs that stay in the memory of the backend that runs, which is the backend
   * to upload to; one line per rule. Empty if no backend with memory of its own was measured.
   */
  readonly resident: readonly string[];
  /** The fastest backend for each attention of a model, and for the whole of it; empty if none was measured. */
  readonly sites: readonly string[];
}

/** Phrase for {@link Advice.sites}. */
export const ofTheModel = "the attention of the model, with its own tensors in JavaScript's memory";

/** Sentences for {@link Advice.holds}. */
export const holdsFor = {
  host: "calls on tensors in JavaScript's memory",
  asMeasured: "calls on inputs that lie where the results say (column inputs)",
  resident: "calls on tensors that stay in the memory of the backend that runs",
} as const;

/** The time by which results are compared, in ms. */
type Quantity = (result: Measured) => number;

/** Results too slow to be repeated through `attention.run` have the plan's time alone, which is close enough. */
const onHost: Quantity = ({ attention, timing }) => attention?.host.median ?? timing.median;
/** A backend without memory of its own has its tensors in JavaScript's. */
const onDevice: Quantity = (result) => result.attention?.resident?.median ?? onHost(result);
const asMeasured: Quantity = ({ timing }) => timing.median;

/**
 * Prefill: many queries at once. Decode: one token, or a few as in speculative decoding, over a
 * cache. They are told apart because what is fast differs: the one computes, the other reads.
 */
type Phase = "prefill" | "decode";

/** Queries up to which it is decoding, where there are more keys than queries. */
const mostDecoded = 8;

/** Least saving that justifies a further range, as a logarithm: one case taking half as long again. */
const worth = Math.log(1.5);

/**
 * Which backends to use, where what was measured says so. Peers are not recommended, nor is a backend
 * that was wrong or failed in a case of the kind.
 */
export function recommend(report: BenchReport): Advice[] {
  return report.environments.flatMap((environment) => {
    const backends = report.contenders.filter(
      (c) => c.environment === environment.name && c.kind === "backend" && c.status === "ready",
    );
    const names = new Set(backends.map(({ name }) => name));
    const measured = report.cases
      .flatMap(({ results }) => results)
      .filter((result) => result.status === "measured" && names.has(result.contender));
    const through = measured.some((result) => "attention" in result && result.attention);
    const stays = measured.some((result) => "attention" in result && result.attention?.resident);
    const find = (quantity: Quantity) => [
      ...findingsOf("decode", report.cases, backends, quantity),
      ...findingsOf("prefill", report.cases, backends, quantity),
    ];
    const findings = find(through ? onHost : asMeasured);
    if (findings.length === 0) return [];
    return [
      {
        environment: environment.name,
        recommendation: {
          format: "heed-recommendation",
          version: 1,
          measuredOn: measuredOn(environment, report),
          rules: findings.map(({ rule }) => rule),
        },
        holds: through ? holdsFor.host : holdsFor.asMeasured,
        words: findings.map(({ words }) => words),
        resident: stays ? find(onDevice).map(({ words }) => words) : [],
        sites: fastestOfSites(report, environment.name, names),
      },
    ];
  });
}

function measuredOn(environment: Environment, { options }: BenchReport): string {
  const day = environment.date.slice(0, 10);
  return `${describeMachine(environment)}; ${describeVersions(environment)}; ${options.dtype}; ${day}`;
}

/** A line for each case of a model: its fastest backend, beside the runtime that runs the nodes of the file. */
function fastestOfSites(
  report: BenchReport,
  environment: string,
  backends: ReadonlySet<string>,
): string[] {
  const runtime = report.contenders.find(
    (c) => c.environment === environment && plainName(c) === runtimeName,
  )?.name;
  return report.cases
    .filter(({ suite }) => suite === "model")
    .map(({ id, results }) => {
      const times = results.flatMap((result) =>
        result.status === "measured" ? [{ ...result, ms: onHost(result) }] : [],
      );
      const [best] = times
        .filter(({ contender }) => backends.has(contender))
        .sort((a, b) => a.ms - b.ms);
      if (!best) return `${id}: no backend ran it`;
      const own = times.find(({ contender }) => contender === runtime);
      return `${id}: ${best.contender}, ${formatNumber(best.ms)} ms${besideRuntime(best.ms, own?.ms)}`;
    });
}

/** How a backend's milliseconds compare with those of the model's own nodes. */
function besideRuntime(ms: number, own: number | undefined): string {
  if (own === undefined) return "";
  const ratio = `, ${(own / ms).toFixed(1)} times as fast as the model's own nodes`;
  return own < ms ? `${ratio}: ${runtimeName} alone takes ${formatNumber(own)} ms` : ratio;
}

interface Finding {
  readonly rule: RecommendationRule;
  readonly words: string;
}

/** Logarithms of what each backend took, by the size that counts for the phase. */
type Times = ReadonlyMap<number, readonly ReadonlyMap<string, number>[]>;

function findingsOf(
  phase: Phase,
  cases: readonly CaseReport[],
  backends: readonly ContenderReport[],
  quantity: Quantity,
): Finding[] {
  // Rules go by lengths alone: what a program or a mask leaves of a call is not among them.
  const own = cases.filter(
    ({ suite, operation, ...report }) =>
      operation === "attention" && suite !== "sparse" && phaseOf(report) === phase,
  );
  const sound = backends.filter(({ name }) => own.every((report) => soundIn(report, name)));
  const times = timesOf(phase, own, new Set(sound.map(({ name }) => name)), quantity);
  const sizes = [...times.keys()].sort((a, b) => a - b);
  const segments = segment(
    sizes,
    sound,
    (backend, size) => lossOf(times, backend.name, size),
    worth,
  );
  return segments.map(({ sizes: within, ranking }, i) => {
    const able = ranking.filter(({ name }) => within.some((size) => ran(times, name, size)));
    const range = {
      ...(i > 0 && { from: boundary(segments[i - 1]?.sizes.at(-1), within[0]) + 1 }),
      ...(i < segments.length - 1 && { to: boundary(within.at(-1), segments[i + 1]?.sizes[0]) }),
    };
    return {
      rule: { when: conditionOf(phase, range), prefer: able.map(preferenceOf) },
      words: wordsOf(phase, range, able, within, times),
    };
  });
}

function phaseOf({ sizes }: Pick<CaseReport, "sizes">): Phase {
  const { queryLength = 0, keyLength = 0 } = sizes;
  return queryLength <= mostDecoded && queryLength < keyLength ? "decode" : "prefill";
}

/** Refusing is sound. */
function soundIn({ results }: CaseReport, name: string): boolean {
  const result = results.find(({ contender }) => contender === name);
  return result?.status !== "wrong" && result?.status !== "failed";
}

function timesOf(
  phase: Phase,
  cases: readonly CaseReport[],
  names: ReadonlySet<string>,
  quantity: Quantity,
): Times {
  const times = new Map<number, ReadonlyMap<string, number>[]>();
  for (const { sizes, results } of cases) {
    const { queryLength = 0, keyLength = 0 } = sizes;
    const size = phase === "decode" ? keyLength : queryLength;
    const logs = new Map(
      results.flatMap((r) =>
        r.status === "measured" && names.has(r.contender)
          ? [[r.contender, Math.log(quantity(r))] as const]
          : [],
      ),
    );
    if (logs.size > 0) times.set(size, [...(times.get(size) ?? []), logs]);
  }
  return times;
}

function ran(times: Times, name: string, size: number): boolean {
  return (times.get(size) ?? []).some((logs) => logs.has(name));
}

/** How much longer a backend took than the fastest, as a logarithm summed over the cases of a size. */
function lossOf(times: Times, name: string, size: number): number {
  return (times.get(size) ?? []).reduce((sum, logs) => {
    const all = [...logs.values()];
    // If it refuses a case, another backend runs it: in the worst case the slowest.
    return sum + (logs.get(name) ?? Math.max(...all)) - Math.min(...all);
  }, 0);
}

/** Halfway between two sizes, as a ratio. */
function boundary(below = 0, above = 0): number {
  return Math.floor(Math.sqrt(below * above));
}

function conditionOf(
  phase: Phase,
  range: { readonly from?: number; readonly to?: number },
): RecommendationCondition {
  const limited = Object.keys(range).length > 0;
  // Decoding comes first: what has few queries and is not decoding falls through to prefill.
  return phase === "decode"
    ? { queryLength: { to: mostDecoded }, keyLength: { from: mostDecoded + 1, ...range } }
    : { ...(limited && { queryLength: range }) };
}

/**
 * `wasm@4` and `onnx:cpu` are names of the benchmark; a backend knows itself as `wasm` and `onnx`, which
 * older files do not say apart.
 */
function preferenceOf(contender: ContenderReport): RecommendedBackend {
  const { info } = contender;
  const threads = info?.threads ?? 1;
  const backend = contender.backend ?? (plainName(contender).split(/[@:]/)[0] as string);
  return { backend, ...(threads > 1 && { threads }) };
}

/** A contender's name without the environment that a merged report puts in front. */
function plainName({ name, environment }: ContenderReport): string {
  return name.startsWith(`${environment}/`) ? name.slice(environment.length + 1) : name;
}

function wordsOf(
  phase: Phase,
  { from, to }: { readonly from?: number; readonly to?: number },
  [first, second]: readonly ContenderReport[],
  sizes: readonly number[],
  times: Times,
): string {
  const unit = phase === "decode" ? "keys" : "queries";
  const range =
    from !== undefined && to !== undefined
      ? ` of ${from} to ${to} ${unit}`
      : from !== undefined
        ? ` over ${from - 1} ${unit}`
        : to !== undefined
          ? ` up to ${to} ${unit}`
          : "";
  const cases = sizes.reduce((sum, size) => sum + (times.get(size)?.length ?? 0), 0);
  const advantage = first && second ? advantageOf(first.name, second.name, sizes, times) : null;
  const threads = first?.info?.threads ?? 1;
  const name = `${first ? plainName(first).replace(/@\d+$/, "") : "none"}${threads > 1 ? ` ×${threads}` : ""}`;
  const than =
    advantage === null || !second
      ? ""
      : `, ${advantage.toFixed(1)} times as fast as ${plainName(second)}`;
  return `${phase}${range}: ${name}${than} (${cases} case${cases === 1 ? "" : "s"})`;
}

/** Geometric mean over the cases that both ran; null if there are none. */
function advantageOf(
  first: string,
  second: string,
  sizes: readonly number[],
  times: Times,
): number | null {
  const logs = sizes
    .flatMap((size) => times.get(size) ?? [])
    .flatMap((of) => {
      const [a, b] = [of.get(first), of.get(second)];
      return a === undefined || b === undefined ? [] : [b - a];
    });
  if (logs.length === 0) return null;
  return Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length);
}
