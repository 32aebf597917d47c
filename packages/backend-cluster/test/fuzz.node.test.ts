/** A worker is sent hostile messages: none ends it, takes memory without bound or changes a result. */
import { type AttentionInputs, describeProblem, tensor } from "@heed/core";
import { lessEqual, maskMod, multiply, scoreMod, table } from "@heed/core/program";
import { expect, test } from "vitest";
import { scope } from "../../../test/select.js";
import { MessageReader } from "../src/message/reader.js";
import { encodeHello } from "../src/message/requests.js";
import { CheckedCache, numbers, randomTensor } from "./calls.js";
import { startGroup } from "./group.js";

const count = Number(process.env.HEED_FUZZ_MESSAGES ?? (scope === "all" ? 100_000 : 10_000));

/** Changes that keep a message close to a valid one, where most checks are. */
function spoil(bytes: Uint8Array, next: () => number): Uint8Array {
  const random = (limit: number): number => Math.floor(((next() + 1) / 2) * limit) % limit;
  const spoiled = bytes.slice();
  switch (random(6)) {
    case 0: // some bits
      for (let i = 0; i <= random(4); i++) {
        const at = random(spoiled.length);
        spoiled[at] = (spoiled[at] as number) ^ (1 << random(8));
      }
      return spoiled;
    case 1: // cut
      return spoiled.slice(0, random(spoiled.length));
    case 2: // a large number somewhere behind the header
      new DataView(spoiled.buffer).setUint32(
        6 + random(Math.max(1, spoiled.length - 10)),
        [0xffffffff, 0x7fffffff, 0x80000000, 65536, 0][random(5)] as number,
        true,
      );
      return spoiled;
    case 3: // another kind
      spoiled[5] = random(16);
      return spoiled;
    case 4: {
      // two halves of which one is moved
      const middle = random(spoiled.length);
      return Uint8Array.from([...spoiled.slice(middle), ...spoiled.slice(0, middle)]);
    }
    default: // noise behind a valid header
      for (let i = 6; i < spoiled.length; i++) spoiled[i] = random(256);
      return spoiled;
  }
}

test(`${count} hostile messages`, { timeout: 600_000 }, async () => {
  const mostBytes = 2 ** 22;
  const group = await startGroup(1, { memoryBytes: mostBytes, mostOpenRequests: 64 });
  const worker = group.workers[0] as (typeof group.workers)[number];
  const next = numbers(5);
  const query = randomTensor(next, [1, 4, 1, 8]);

  // A client whose tensors nobody else knows the names of.
  const backend = await group.provider().load();
  const cache = new CheckedCache(backend, [1, 2, 16, 8]);
  for (let i = 0; i < 9; i++) await cache.append(next);
  const before = (await cache.attend(query)).output;

  // Another one, whose requests are spoiled: of every kind, with masks, biases, lengths and programs among them.
  const valid: Uint8Array[] = [encodeHello("test", "hello")];
  group.network.onRequest = (_, bytes) => {
    valid.push(bytes.slice());
    return {};
  };
  const hostile = await group.provider().load();
  const spoiled = new CheckedCache(hostile, [1, 2, 16, 8]);
  for (let i = 0; i < 9; i++) await spoiled.append(next);
  const mask = tensor(
    Uint8Array.from({ length: 16 }, (_, i) => i % 3),
    [1, 1, 1, 16],
    {
      dtype: "bool",
    },
  );
  const rules = { mask, bias: randomTensor(next, [1, 4, 1, 16]), causal: true, queryOffset: 4 };
  const inputs = { query, key: spoiled.key, value: spoiled.value, ...rules };
  const limits = table(tensor(Int32Array.of(3, 5, 9), [3]));
  const programs = {
    maskMod: maskMod(({ head, keyIndex }) => lessEqual(keyIndex, limits.at(head))),
    scoreMod: scoreMod(({ score, key }) => multiply(score, key)),
  };
  for (const call of [inputs, { ...inputs, ...programs }] as readonly AttentionInputs[]) {
    const plan = await hostile.plan(describeProblem(call));
    await plan.run(call);
  }
  await spoiled.attend(query);
  await spoiled.key.read();
  const copy = await hostile.memory?.upload(randomTensor(next, [1, 2, 16, 8]));
  copy?.dispose();
  group.network.onRequest = () => ({});

  const statuses = new Map<number, number>();
  for (let i = 0; i < count; i++) {
    const from = valid[i % valid.length] as Uint8Array;
    const answer = await worker.answer(spoil(from, next));
    // Whatever came, the answer is one.
    const { kind } = new MessageReader(answer);
    statuses.set(kind, (statuses.get(kind) ?? 0) + 1);
    expect(worker.beat.usedBytes).toBeLessThanOrEqual(mostBytes);
  }

  // The messages reach the checks of every layer: some are granted, most refused, for several reasons.
  expect(statuses.size).toBeGreaterThanOrEqual(4);
  expect(Math.max(...statuses.keys())).toBeLessThanOrEqual(8);
  const after = await cache.attend(query);
  expect(after.output).toEqual(before);
  expect(after.error).toBeLessThan(1e-5);
  spoiled.dispose();
  cache.dispose();
  hostile.dispose();
  backend.dispose();
  await group.close();
});
