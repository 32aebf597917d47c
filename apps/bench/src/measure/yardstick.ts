import { median } from "simple-statistics";
import { flopsPerIteration, multiplyThenAdd } from "../ceiling/generated/modules.js";
import { instantiate } from "../ceiling/module.js";

/**
 * Does a fixed piece of work that no contender has a part in.
 *
 * @returns ms that it took: how fast the machine is just now
 */
export type Yardstick = () => number;

/** Operations in all, which take about a tenth of a millisecond on a machine of today. */
const flops = 3e6;
/** The middle one counts, as an interruption hits one at most. */
const repetitions = 5;

/** Makes a yardstick of multiply-adds in registers. */
export async function createYardstick(): Promise<Yardstick> {
  const run = await instantiate(multiplyThenAdd);
  const iterations = Math.ceil(flops / flopsPerIteration);
  const once = () => {
    const start = performance.now();
    run(iterations, 1);
    return performance.now() - start;
  };
  // Until the optimising compiler has taken over.
  for (let i = 0; i < 20; i++) once();
  return () => median(Array.from({ length: repetitions }, once));
}
