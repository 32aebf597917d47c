import { SingleBar } from "cli-progress";
import type { ProgressEvent } from "../measure/run-benchmark.js";
import type { CaseReport } from "../report/report.js";
import { formatNumber } from "./format.js";

/** Tells a person how far the run is, on stderr, so that stdout holds the results alone. */
export interface Progress {
  update(event: ProgressEvent): void;
  /** Clears the line. */
  stop(): void;
}

/** A bar with time left on a terminal; elsewhere, as in a log, a line a case. */
export function createProgress(cases: number, stream: NodeJS.WriteStream): Progress {
  return stream.isTTY ? barProgress(cases, stream) : lineProgress(cases, stream);
}

function barProgress(cases: number, stream: NodeJS.WriteStream): Progress {
  const bar = new SingleBar({
    stream,
    format: "{bar} {value}/{total} {id} {step} | {eta_formatted} left",
    barsize: 20,
    clearOnComplete: true,
    hideCursor: true,
    etaBuffer: Math.max(2, cases),
  });
  bar.start(cases, 0, { id: "", step: "loading" });
  return {
    update(event) {
      if (event.type === "step") bar.update(event.case, { id: event.id, step: event.step });
      else if (event.type === "case") bar.update(event.case + 1);
    },
    stop: () => bar.stop(),
  };
}

function lineProgress(cases: number, stream: NodeJS.WriteStream): Progress {
  let start = performance.now();
  return {
    update(event) {
      if (event.type !== "case") return;
      const seconds = (performance.now() - start) / 1000;
      start = performance.now();
      const place = `[${event.case + 1}/${cases}]`;
      stream.write(
        `${place} ${event.report.id}: ${summary(event.report)} (${seconds.toFixed(1)} s)\n`,
      );
    },
    stop: () => {},
  };
}

function summary({ results }: CaseReport): string {
  return results
    .map((result) =>
      result.status === "measured"
        ? `${result.contender} ${formatNumber(result.timing.median)} ms`
        : `${result.contender} ${result.status}`,
    )
    .join(", ");
}
