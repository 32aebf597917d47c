/** Messages of a server that takes small ones only. */
import {
  type AttentionInputs,
  createAttention,
  type DeviceTensor,
  describeProblem,
  isDeviceTensor,
  type Plan,
  referenceAttention,
  scatter,
  type Tensor,
  tensor,
} from "@heed/core";
import { lessEqual, maskMod, table } from "@heed/core/program";
import { afterEach, expect, test } from "vitest";
import { distance, numbers, randomTensor } from "./calls.js";
import { type Group, startGroup } from "./group.js";
import { Network } from "./network.js";

const most = 32_768;
const shape = [1, 2, 600, 64] as const;

let group: Group | undefined;
afterEach(async () => {
  await group?.close();
  group = undefined;
});

/** Two workers, and the largest message and most open requests that the network has seen. */
async function start(): Promise<{ group: Group; seen: { bytes: number; open: number } }> {
  const network = new Network(most);
  const seen = { bytes: 0, open: 0 };
  let open = 0;
  network.onRequest = (_, { length }) => {
    open += 1;
    seen.open = Math.max(seen.open, open);
    seen.bytes = Math.max(seen.bytes, length);
    return {};
  };
  network.onAnswer = (_, { length }) => {
    open -= 1;
    seen.bytes = Math.max(seen.bytes, length);
    return {};
  };
  group = await startGroup(2, {}, network);
  return { group, seen };
}

test("uploads, writes and reads go in pieces, a few of which are open at once", async () => {
  const { group, seen } = await start();
  const backend = await group.provider({ pageSize: 256 }).load();
  const next = numbers(1);
  const whole = randomTensor(next, shape);
  const held = (await backend.memory?.upload(whole)) as DeviceTensor;
  expect((await held.read()).data).toEqual(whole.data);

  const source = randomTensor(next, [1, 2, 200, 64]);
  const slots = Int32Array.from({ length: 200 }, (_, i) => 3 * i);
  const inputs = { target: held, source, slots: slots.slice(), paged: true };
  const plan = (await backend.plan(scatter.describe(inputs))) as unknown as Plan;
  await plan.run(inputs as never);
  for (const [i, slot] of slots.entries()) {
    for (let h = 0; h < 2; h++) {
      const row = source.data.subarray((h * 200 + i) * 64, (h * 200 + i + 1) * 64);
      whole.data.set(row, (h * 600 + slot) * 64);
    }
  }
  expect((await held.read()).data).toEqual(whole.data);

  // Some 300 KB went in messages of almost the size that is allowed; four for each of the two parts, or eight of a read.
  expect(seen.bytes).toBeGreaterThan(most / 2);
  expect(seen.bytes).toBeLessThanOrEqual(most);
  expect(seen.open).toBeGreaterThan(2);
  expect(seen.open).toBeLessThanOrEqual(8);
  held.dispose();
  backend.dispose();
});

test("a call whose query is larger than a message is divided", async () => {
  const { group, seen } = await start();
  const attention = await createAttention({ backends: [group.provider({ pageSize: 256 })] });
  const next = numbers(2);
  const host = { key: randomTensor(next, shape), value: randomTensor(next, shape) };
  const query = randomTensor(next, [1, 4, 64, 64]);
  const [key, value] = [await attention.upload(host.key), await attention.upload(host.value)];
  const rules = { causal: true, queryOffset: 300 };
  const { output, backend } = await attention.run({ query, key, value, ...rules });
  expect(backend).toBe("cluster");
  const read = isDeviceTensor(output as Tensor)
    ? await (output as never as DeviceTensor).read()
    : output;
  const expected = referenceAttention({ query, ...host, ...rules }).output;
  expect(distance(read as never, expected)).toBeLessThan(1e-5);
  expect(seen.bytes).toBeLessThanOrEqual(most);
  for (const t of [key, value, output as never as DeviceTensor]) t.dispose();
  await attention.dispose();
});

test("a program whose tables are larger than a message is refused at once", async () => {
  const { group } = await start();
  const backend = await group.provider({ pageSize: 256 }).load();
  const held = (await backend.memory?.upload(randomTensor(numbers(3), shape))) as DeviceTensor;
  const limits = table(tensor(new Int32Array(10_000), [10_000]));
  const inputs: AttentionInputs = {
    query: randomTensor(numbers(4), [1, 4, 1, 64]),
    key: held,
    value: held,
    maskMod: maskMod(({ key }) => lessEqual(limits.at(key), 1)),
  };
  const plan = (await backend.plan(describeProblem(inputs))) as Plan;
  await expect(plan.run(inputs as never)).rejects.toMatchObject({
    code: "unsupported",
    backends: [{ backend: "cluster", reasons: [{ code: "too-large" }] }],
  });
  held.dispose();
  backend.dispose();
});
