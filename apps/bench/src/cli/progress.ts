import { SingleBar } from "cli-progress";
import type { ProgressEvent } from "../measure/run-benchmark.js";
import { timeLeft, weightOf } from "../measure/time-left.js";
import { formatNumber, formatSeconds } from "../report/format.js";
import type { CaseReport } from "../report/report.js";
import { timedOf } from "../report/timed.js";
import type { Workload } from "../workloads/workload.js";

/** Tells a person how far the run is, on stderr, so that stdout holds the results alone. */
export interface Progress {
  update(event: ProgressEvent): void;
  /** Clears the line. */
  stop(): void;
}

/** A bar on a terminal; elsewhere, as in a log, a line a case. Both say how much time is left. */
export function createProgress(
  workloads: readonly Workload[],
  stream: NodeJS.WriteStream,
): Progress {
  return stream.isTTY ? barProgress(workloads, stream) : lineProgress(workloads, stream);
}

function barProgress(workloads: readonly Workload[], stream: NodeJS.WriteStream): Progress {
  const bar = new SingleBar({
    stream,
    format: "{bar} {at}/{cases} {id} {step} | {eta_formatted} left",
    barsize: 20,
    clearOnComplete: true,
    hideCursor: true,
    etaBuffer: workloads.length + 1,
  });
  const total = workloads.reduce((sum, workload) => sum + weightOf(workload), 0);
  let done = 0;
  bar.start(total, 0, { at: 0, cases: workloads.length, id: "", step: "loading" });
  return {
    update(event) {
      if (event.type === "step") {
        // Without a value: only what has changed may count for the time left.
        bar.update({ at: event.case + 1, id: event.id, step: event.step });
      } else if (event.type === "case") {
        done += weightOf(workloads[event.case] as Workload);
        bar.update(done);
      }
    },
    stop: () => bar.stop(),
  };
}

function lineProgress(workloads: readonly Workload[], stream: NodeJS.WriteStream): Progress {
  const left = timeLeft(workloads);
  let start = performance.now();
  return {
    update(event) {
      if (event.type !== "case") return;
      const seconds = (performance.now() - start) / 1000;
      start = performance.now();
      left.done(event.case);
      const { secondsLeft } = left.estimate();
      const times = [
        `${seconds.toFixed(1)} s`,
        ...(secondsLeft ? [`about ${formatSeconds(secondsLeft)} left`] : []),
      ];
      const place = `[${event.case + 1}/${workloads.length}]`;
      stream.write(`${place} ${event.report.id}: ${summary(event.report)} (${times.join(", ")})\n`);
    },
    stop: () => {},
  };
}

function summary({ results }: CaseReport): string {
  return results
    .map((result) => {
      const timed = timedOf(result);
      const words = [
        result.contender,
        ...(result.status === "measured" ? [] : [result.status]),
        ...(timed ? [`${formatNumber(timed.timing.median)} ms`] : []),
      ];
      return words.join(" ");
    })
    .join(", ");
}
