// How close an attention that learns comes to always taking the best backend, for Node and for pages.
//
// Contenders take turns in one process: the attention that learns, and each backend by itself. A turn is a few calls
// after a pause, in an order drawn anew each time, so that nobody always finds the caches and sleeping threads that
// the same other contender leaves. All have the same loaded backends, since two sessions of onnxruntime's for one graph
// differ by up to a half. In the second half a control takes part: an attention whose order is fixed, the best backend
// first. It is as far from 1 as the measurement is wrong. So the calls are also counted by the backends that they were
// given to, at the times of each backend by itself.
import { createAttention } from "heed";

/** Milliseconds of a pause: threads of onnxruntime spin for some time after a call. */
const pause = 6;
/** Calls of a turn, unless one alone takes `longTurn` ms. */
const callsOfTurn = 5;
const longTurn = 20;
/** Calls whose times are compared with the order's. */
const firstCalls = 20;
/** The second half of a case: rounds at least and at most, and ms after which there is no more between. */
const [leastRounds, mostRounds, enough] = [4, 80, 4000];

const breathe = () => new Promise((resolve) => setTimeout(resolve, pause));

/** The lower quartile: whatever else the machine does only lengthens calls. */
const typical = (times) => [...times].sort((a, b) => a - b)[Math.floor(times.length / 4)];

/** Times of calls, with the backend that ran each. */
class Contender {
  constructor(attention) {
    this.attention = attention;
    this.times = [];
    this.backends = [];
  }

  async turn(call, calls) {
    await breathe();
    for (let i = 0; i < calls; i++) {
      const start = performance.now();
      const { backend } = await this.attention.run(call);
      this.times.push(performance.now() - start);
      this.backends.push(backend);
    }
  }

  /**
   * Mean time of a call: for each backend, its typical time as often as it ran. What else the machine does lengthens
   * single calls, and would otherwise be all that is seen.
   */
  mean(from = 0, to = this.times.length) {
    const of = new Map();
    for (let i = from; i < Math.min(to, this.times.length); i++) {
      const times = of.get(this.backends[i]) ?? [];
      times.push(this.times[i]);
      of.set(this.backends[i], times);
    }
    let [sum, count] = [0, 0];
    for (const times of of.values()) {
      sum += typical(times) * times.length;
      count += times.length;
    }
    return sum / count;
  }
}

/** A provider that loads its backend once, whoever asks. Names are left to `heed`. */
function shared(provider) {
  if (typeof provider === "string") return provider;
  let loaded;
  return { name: provider.name, load: () => (loaded ??= provider.load()) };
}

const shuffled = (list) =>
  list
    .map((item) => [Math.random(), item])
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item);

/**
 * Measures cases one after the other; the attention learns from all of them.
 *
 * @param backends [name, provider or name][] in order of preference; the first is what the order alone takes
 * @param workloads of the benchmark
 * @param calls of the attention that learns before it is compared with the best backend
 * @param onCase gets each case's result
 */
export async function measureLearning({ backends: given, workloads, calls, onCase }) {
  const backends = given.map(([name, provider]) => [name, shared(provider)]);
  const quiet = { fallback: "silent", store: null };
  const fixed = (order) =>
    createAttention({ ...quiet, backends: order.map(([, provider]) => provider), select: "order" });
  const attentions = {
    learning: await createAttention({
      ...quiet,
      backends: backends.map(([, provider]) => provider),
    }),
    alone: await Promise.all(backends.map((backend) => fixed([backend]))),
    controls: await Promise.all(
      backends.map((first) => fixed([first, ...backends.filter((backend) => backend !== first)])),
    ),
  };
  for (const workload of workloads) {
    const call = await workload.load("float32");
    onCase({ id: workload.id, ...(await measureCase(call, backends, attentions, calls)) });
  }
  const all = [attentions.learning, ...attentions.alone, ...attentions.controls];
  await Promise.all(all.map((attention) => attention.dispose()));
}

async function measureCase(call, backends, attentions, calls) {
  const learning = new Contender(attentions.learning);
  const alone = attentions.alone.map((attention) => new Contender(attention));
  const [ordered] = alone;
  // A backend that takes three times as long as another is not going to be the best one.
  const shortest = ({ times }) => Math.min(...times);
  const least = () => Math.min(...alone.map(shortest));
  const promising = () => alone.filter((contender) => shortest(contender) <= 3 * least());

  // The first calls wait for threads and compilers.
  for (const contender of alone) {
    await contender.turn(call, 1);
    if (shortest(contender) < 1000) await contender.turn(call, 3);
  }
  const perTurn = least() > longTurn ? 1 : callsOfTurn;
  // The order's first calls are those that it has had by now, and as many as the other's.
  while (learning.times.length < calls) {
    const early = learning.times.length < firstCalls;
    const turns = [learning, ...(early ? [...new Set([...promising(), ordered])] : [])];
    for (const contender of shuffled(turns)) await contender.turn(call, perTurn);
  }
  const first = learning.mean(0, firstCalls) / ordered.mean(0, firstCalls);

  const best = alone.reduce((a, b) => (typical(b.times) < typical(a.times) ? b : a));
  const control = new Contender(attentions.controls[alone.indexOf(best)]);
  const contenders = [learning, control, ...promising()];
  const starts = new Map();
  await control.turn(call, 2);
  for (const contender of contenders) starts.set(contender, contender.times.length);
  const begin = performance.now();
  for (let round = 0; round < mostRounds; round++) {
    if (round >= leastRounds && performance.now() - begin > enough) break;
    for (const contender of shuffled(contenders)) await contender.turn(call, perTurn);
  }
  const later = (contender) =>
    starts.has(contender) ? contender.mean(starts.get(contender)) : contender.mean();
  const times = alone.map(later);
  const fastest = Math.min(...times);
  const timeOf = new Map(backends.map(([name], i) => [name, times[i]]));
  const chosen = learning.backends.slice(starts.get(learning)).map((name) => timeOf.get(name));
  return {
    learning: later(learning),
    fastest,
    choices: chosen.reduce((sum, time) => sum + time, 0) / chosen.length / fastest,
    control: later(control) / later(best),
    first,
    firstLearning: learning.mean(0, firstCalls),
    firstOrdered: ordered.mean(0, firstCalls),
    endsOn: learning.backends.at(-1),
    trials: learning.backends.length - countOf(learning.backends, learning.backends.at(-1)),
    alone: Object.fromEntries(backends.map(([name], i) => [name, times[i]])),
  };
}

const countOf = (list, item) => list.filter((other) => other === item).length;
