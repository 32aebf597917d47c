import { createAttention } from "@heed/core";
import { expect, test } from "vitest";
import { numbers, randomTensor } from "./calls.js";
import { startGroup } from "./group.js";

test("info names the workers and the parts, and explain what a call sends and whether it pays", async () => {
  const group = await startGroup(2);
  const attention = await createAttention({ backends: [group.provider({ replicas: 2 })] });
  const next = numbers(1);
  const [key, value] = [
    await attention.upload(randomTensor(next, [1, 2, 9, 8])),
    await attention.upload(randomTensor(next, [1, 2, 9, 8])),
  ];
  const call = { query: randomTensor(next, [1, 4, 1, 8]), key, value };

  const { notes: before = [] } = attention.explain(call);
  expect(before[0]).toBe("2 workers in group test; each part is on 2 of them");
  expect(before[1]).toMatch(/^sends each part at most \d+ bytes and gets 144 back/);
  // The query alone has 128 bytes; the rest of the message adds a little.
  const [sent] = /\d+ bytes/.exec(before[1] as string) as unknown as [string];
  expect(Number.parseInt(sent, 10)).toBeGreaterThanOrEqual(128);
  expect(Number.parseInt(sent, 10)).toBeLessThan(256);

  const { output } = await attention.run(call);
  (output as never as { dispose(): void }).dispose();
  const { notes: after = [] } = attention.explain(call);
  // Nine keys are read sooner than a message is answered.
  expect(after[2]).toMatch(
    /^with all 9 keys about [\d.]+ ms, of which messages [\d.]+ ms; one machine .*, which is faster$/,
  );

  const [a, b] = group.workers.map(({ name }) => name);
  const [status] = attention.backends;
  const notes = (status !== undefined && "info" in status && status.info?.notes) || [];
  expect(notes).toHaveLength(3);
  for (const worker of [a, b]) {
    expect(notes.some((note) => note.startsWith(`worker ${worker}: js on CPU, `))).toBe(true);
  }
  expect(notes[2]).toMatch(
    /^2 tensors of 1 × 9 rows in pages of 3: part 1 on \w+ and \w+, part 2 on \w+ and \w+$/,
  );
  expect(notes[2]).toContain(a as string);
  expect(notes[2]).toContain(b as string);
  for (const t of [key, value]) t.dispose();
  await attention.dispose();
  await group.close();
});
