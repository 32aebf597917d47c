import { SingleBar } from "cli-progress";
import type { ConformanceReport } from "../report/report.js";
import { type CheckOptions, checkBackend } from "../run/check.js";
import type { Found } from "./providers.js";

/** Checks a backend with a bar that shows how far it is; in a log, with a line now and then. */
export async function checkWithProgress(
  { provider, declaration }: Found,
  options: CheckOptions,
): Promise<ConformanceReport> {
  const bar = new SingleBar({
    format: `${provider.name} {bar} {value}/{total} {id}`,
    stream: process.stderr,
    noTTYOutput: true,
    notTTYSchedule: 15_000,
    hideCursor: true,
    clearOnComplete: true,
  });
  let started = false;
  const report = await checkBackend(provider, {
    ...options,
    declaration,
    onResult: ({ id }, done, total) => {
      if (!started) bar.start(total, 0, { id });
      started = true;
      bar.update(done, { id });
    },
  });
  if (started) bar.stop();
  return report;
}
