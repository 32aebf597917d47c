import { CallOrder } from "@heed/core";
import { expect, test } from "vitest";

test("calls that update wait for all earlier ones, others for those that update", async () => {
  const order = new CallOrder();
  const log: string[] = [];
  const call = (name: string, updates: boolean) => {
    const turn = order.take(updates);
    return {
      started: (async () => {
        if (turn.ready) await turn.ready;
        log.push(name);
      })(),
      end: () => turn.end(),
    };
  };
  const first = call("read 1", false);
  const second = call("read 2", false);
  const write = call("write", true);
  const third = call("read 3", false);
  const last = call("write 2", true);
  await second.started;
  expect(log).toEqual(["read 1", "read 2"]);
  second.end();
  first.end();
  await write.started;
  expect(log.at(-1)).toBe("write");
  // A call that gives up does not let later ones pass those before it.
  last.end();
  const fourth = call("read 4", false);
  write.end();
  await Promise.all([third.started, fourth.started]);
  expect(log).toEqual(["read 1", "read 2", "write", "read 3", "read 4"]);
  third.end();
  fourth.end();
  expect(order.busy).toBe(false);
  expect(order.take(true).ready).toBe(null);
});

test("an order is busy from a call's turn until its start", () => {
  const order = new CallOrder();
  expect(order.busy).toBe(false);
  const turns = [order.take(false), order.take(true)];
  for (const turn of turns) {
    expect(order.busy).toBe(true);
    turn.end();
  }
  expect(order.busy).toBe(false);
});
