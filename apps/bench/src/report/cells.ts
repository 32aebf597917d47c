import { formatBytes, formatNumber } from "./format.js";
import { formatError, type Row, type RowNumbers } from "./rows.js";

/** A column of a table of results for people. */
export interface Column {
  readonly head: string;
  /** The column's meaning, for a legend or a tooltip. */
  readonly about: string;
  readonly align: "left" | "right";
  cell(numbers: RowNumbers): string;
}

const error: Column = {
  head: "error",
  about: "the worst row against float64, in units of what is tolerated (1)",
  align: "right",
  cell: (n) => `${n.wrong ? "WRONG " : ""}${formatError(n.errorInBudgets)}`,
};

const median: Column = {
  head: "median ms",
  about:
    "of n timed calls of the backend's plan by the wall clock, until JavaScript can read the output",
  align: "right",
  cell: (n) => formatNumber(n.median),
};

const device: Column = {
  head: "device ms",
  about: "median by the device's own timestamps: its kernels alone",
  align: "right",
  cell: (n) => (n.deviceMedian === null ? "–" : formatNumber(n.deviceMedian)),
};

const clock: Column = {
  head: "clock",
  about: "what the kernels were timed by: GPU timestamps (device ms), or the wall clock alone",
  align: "left",
  cell: (n) => n.clock,
};

const read: Column = {
  head: "of it read",
  about: "of the median ms, those that copied the output from the backend's memory to a new array",
  align: "right",
  cell: (n) => (n.readMedian === null ? "–" : formatNumber(n.readMedian)),
};

const runHost: Column = {
  head: "run, host",
  about:
    "median ms of attention.run, or attention.apply, as an application calls it, on tensors in JavaScript's memory",
  align: "right",
  cell: (n) => (n.attention.host === null ? "–" : formatNumber(n.attention.host)),
};

const runResident: Column = {
  head: "run, resident",
  about: "the same on tensors that were uploaded into the backend's memory beforehand",
  align: "right",
  cell: (n) => (n.attention.resident === null ? "–" : formatNumber(n.attention.resident)),
};

const quartiles: Column = {
  head: "p25–p75",
  about: "half of the timed calls lie between",
  align: "right",
  cell: (n) => `${formatNumber(n.p25)}–${formatNumber(n.p75)}`,
};

const count: Column = {
  head: "n",
  about:
    "timed samples, × calls in each where the clock is coarse; outliers by Tukey's fences, which are kept",
  align: "right",
  cell: ({ count, callsPerSample, outliers }) => {
    const calls = callsPerSample > 1 ? ` × ${callsPerSample}` : "";
    return `${count}${calls}${outliers > 0 ? ` (${outliers} out)` : ""}`;
  },
};

const gflops: Column = {
  head: "GFLOP/s",
  about:
    "operations that the case needs over the median; of attention, those of the two matrix products on visible pairs; – of a whole model",
  align: "right",
  cell: (n) => (n.gflops === 0 ? "–" : formatNumber(n.gflops)),
};

const gbps: Column = {
  head: "GB/s",
  about: "bytes of the inputs that the case needs and of the outputs, over the median",
  align: "right",
  cell: (n) => (n.gbps === 0 ? "–" : formatNumber(n.gbps)),
};

const tokens: Column = {
  head: "tokens/s",
  about: "tokens that a step computes, of all sequences, over the median",
  align: "right",
  cell: (n) => (n.tokensPerSecond === null ? "–" : formatNumber(n.tokensPerSecond)),
};

const cache: Column = {
  head: "cache",
  about: "bytes of keys and values that are held between steps, with room for 64 more tokens",
  align: "right",
  cell: (n) => (n.cacheBytes === null ? "–" : formatBytes(n.cacheBytes)),
};

const tiles: Column = {
  head: "tiles skipped",
  about:
    "of the tiles of the call's scores (those of its block mask, or 64 × 64), the share in which no query sees any key: a kernel need not visit them; – where nothing is hidden, and of several calls",
  align: "right",
  cell: ({ tilesSkipped }) =>
    tilesSkipped === null ? "–" : `${(100 * tilesSkipped).toFixed(tilesSkipped > 0.99 ? 1 : 0)} %`,
};

const ceiling: Column = {
  head: "of ceiling",
  about: "of the multiply-add rate, or of the streaming read (ᵐ) where that binds",
  align: "right",
  cell: ({ fraction }) =>
    fraction === null
      ? "–"
      : `${(100 * fraction.fraction).toFixed(0)} %${fraction.limit === "memory" ? " ᵐ" : ""}`,
};

const plan: Column = {
  head: "plan ms",
  about: "making the plan: kernels compiled, session created",
  align: "right",
  cell: (n) => formatNumber(n.planMs),
};

const firstCall: Column = {
  head: "first ms",
  about: "the first call, with whatever is done lazily",
  align: "right",
  cell: (n) => formatNumber(n.firstCallMs),
};

const workspace: Column = {
  head: "workspace",
  about: "bytes that a call needs beside inputs and outputs, as declared; ? where it does not say",
  align: "right",
  cell: (n) => (n.workspaceBytes === null ? "?" : formatBytes(n.workspaceBytes)),
};

/** The column of peak memory; which memory that is differs by environment and by contender. */
function peak(rows: readonly Row[]): Column {
  const whose = new Map<string, Set<string>>();
  for (const { result, shown } of rows) {
    const of = shown?.peakOf;
    if (of !== undefined) whose.set(of, (whose.get(of) ?? new Set()).add(result.contender));
  }
  const parts = [...whose].map(([of, names]) =>
    whose.size === 1 ? of : `${of} (${[...names].join(", ")})`,
  );
  return {
    head: "peak",
    about: `growth of memory from before the plan to after the first call: ${parts.join("; ")}`,
    align: "right",
    cell: (n) => (n.peakBytes === null ? "–" : formatBytes(n.peakBytes)),
  };
}

const kernel: Column = {
  head: "kernel",
  about: "what ran, as its plan names it: of onnx, the provider and the graph's operators",
  align: "left",
  cell: (n) => n.kernel,
};

const inputs: Column = {
  head: "inputs",
  about: "resident in the backend's memory before the clock starts, or JavaScript arrays (host)",
  align: "left",
  cell: (n) => n.inputs,
};

const ratio: Column = {
  head: "× first",
  about: "how many times as fast as the case's first, by paired rounds; ~ by medians alone",
  align: "right",
  cell: (n) =>
    n.ratio === null
      ? n.wrong
        ? "–"
        : "1"
      : `${n.ratio.paired ? "" : "~"}${formatNumber(n.ratio.value)}`,
};

/**
 * The columns that have something to say.
 *
 * @param details also what happens once, and memory
 */
export function columnsFor(rows: readonly Row[], details: boolean): readonly Column[] {
  const any = (has: (numbers: RowNumbers) => boolean) =>
    rows.some(({ shown }) => shown !== null && has(shown));
  return [
    error,
    median,
    ...(any((n) => n.deviceMedian !== null) ? [device, clock] : []),
    ...(any((n) => n.readMedian !== null) ? [read] : []),
    ...(any((n) => n.attention.host !== null) ? [runHost] : []),
    ...(any((n) => n.attention.resident !== null) ? [runResident] : []),
    quartiles,
    count,
    ...(any((n) => n.tokensPerSecond !== null) ? [tokens] : []),
    ...(any((n) => n.cacheBytes !== null) ? [cache] : []),
    ...(any((n) => n.tilesSkipped !== null) ? [tiles] : []),
    gflops,
    // Memory limits the other operations: their arithmetic alone says little.
    ...(rows.some(({ report: { operation, bytes } }) => operation !== "attention" && bytes > 0)
      ? [gbps]
      : []),
    ...(any((n) => n.fraction !== null) ? [ceiling] : []),
    ...(details ? [plan, firstCall] : []),
    workspace,
    ...(details ? [peak(rows)] : []),
    inputs,
    ratio,
    kernel,
  ];
}
