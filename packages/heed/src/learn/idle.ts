/** Runs a job soon: in a page when it is idle, elsewhere after what waits already. No process lives on for it. */
export function soon(job: () => Promise<void>): void {
  const { requestIdleCallback } = globalThis as {
    requestIdleCallback?: (run: () => void) => unknown;
  };
  const run = (): void => {
    // The error of a failed job is told by the calls that need it.
    job().catch(() => {});
  };
  if (requestIdleCallback) {
    requestIdleCallback(run);
    return;
  }
  const timer: unknown = setTimeout(run, 5);
  (timer as { unref?: () => void }).unref?.();
}
