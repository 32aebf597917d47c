// Timing contenders against each other, for the tools beside this.

/** The time in ms: by the wall, or that this process ran, or the thread that calls, where Node tells (24). */
export const clocks = {
  wall: () => performance.now(),
  processor: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  thread: () => {
    // Linux counts a running thread's time at each tick of a few ms only, and when the time of its process is asked for.
    const all = process.cpuUsage();
    const { user, system } = process.threadCpuUsage?.() ?? all;
    return (user + system) / 1000;
  },
};

/** Calls after which the engine has compiled what a call runs; before, JavaScript is interpreted. */
const callsUntilCompiled = 6000;
const longestWarmUpMs = 2000;

async function warmUp(run) {
  const start = performance.now();
  for (let call = 0; call < callsUntilCompiled; call++) {
    if (performance.now() - start > longestWarmUpMs) return;
    await run();
  }
}

/**
 * Visits of a few calls each, in a random order, after a call that is not timed: what ran before has
 * left the caches full of its own data. All are warm: a contender's own JavaScript is compiled.
 *
 * @param ms for the slowest of them
 * @returns ms of a call, by contender and round
 */
export async function inTurns(contenders, now, ms) {
  const visits = contenders.map(() => []);
  const times = [];
  for (const { run } of contenders) {
    await warmUp(run);
    const start = now();
    await run();
    await run();
    times.push((now() - start) / 2);
  }
  const slowest = Math.max(...times);
  const calls = Math.max(1, Math.min(200, Math.round(3 / slowest)));
  const rounds = Math.max(5, Math.min(151, Math.round(ms / (slowest * calls))));
  for (let round = 0; round < rounds; round++) {
    const order = contenders.map((_, at) => [Math.random(), at]).sort(([a], [b]) => a - b);
    for (const [, at] of order) {
      const { run } = contenders[at];
      await run();
      const start = now();
      for (let call = 0; call < calls; call++) await run();
      visits[at].push((now() - start) / calls);
    }
  }
  return visits;
}
