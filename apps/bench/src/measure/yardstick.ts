import { median } from "simple-statistics";
import { flopsPerIteration, multiplyThenAdd } from "../ceiling/generated/modules.js";
import { instantiate } from "../ceiling/module.js";
import { repeatsFor } from "./tick.js";

/**
 * Does a fixed piece of work that no contender has a part in.
 *
 * @returns ms that it took: how fast the machine is just now
 */
export type Yardstick = () => number;

/** Operations in all, and about what they take on a machine of today, in ms. */
const flops = 3e6;
const typicalMs = 0.05;
/** The middle one counts, as an interruption hits one at most. */
const repetitions = 5;

/**
 * Makes a yardstick of multiply-adds in registers.
 *
 * @param tick the clock's least difference, in ms: where it is coarse, the work is done more often
 */
export async function createYardstick(tick: number): Promise<Yardstick> {
  const run = await instantiate(multiplyThenAdd);
  const repeats = repeatsFor(typicalMs, tick);
  const iterations = repeats * Math.ceil(flops / flopsPerIteration);
  const once = () => {
    const start = performance.now();
    run(iterations, 1);
    return (performance.now() - start) / repeats;
  };
  // Until the optimising compiler has taken over.
  for (let i = 0; i < 20; i++) once();
  return () => median(Array.from({ length: repetitions }, once));
}
