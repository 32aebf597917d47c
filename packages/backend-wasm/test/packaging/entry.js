// Code as an application would write it; packaging.node.test.ts bundles it and runs it everywhere.
import { wasm } from "@heed/backend-wasm";
import { createAttention, referenceAttention, tensor, toFloat64 } from "@heed/core";

export { wasm };

/** @returns what it ran on, and its largest error */
export async function check(options) {
  const filled = (seed) =>
    tensor(
      Float32Array.from({ length: 4 * 160 * 64 }, (_, i) => Math.sin(i * 0.7 + seed)),
      [1, 4, 160, 64],
    );
  const call = { query: filled(1), key: filled(2), value: filled(3), causal: true };
  const attention = await createAttention({ backends: [wasm(options)] });
  const { output } = await attention.run(call);
  const expected = toFloat64(referenceAttention(call).output);
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    worst = Math.max(worst, Math.abs(output.data[i] - expected[i]));
  }
  // Threads start in the meantime, or fail to.
  const starts = () => attention.backends[0].info.notes.some((note) => note.endsWith("start"));
  while (starts()) await new Promise((resolve) => setTimeout(resolve, 5));
  await attention.run(call);
  const { info } = attention.backends[0];
  const { threads, notes } = info;
  await attention.dispose();
  return { threads, notes, worst };
}
