/** Requests over a real server. */
import { afterEach, expect, test } from "vitest";
import { connectNats } from "../src/transport/nats.js";
import type { Transport } from "../src/transport/transport.js";
import { missing, type Started, startServer } from "./nats.js";

const why = missing ? ` (${missing})` : "";
const started: Started[] = [];
const transports: Transport[] = [];
afterEach(async () => {
  await Promise.all(transports.splice(0).map((one) => one.close()));
  await Promise.all(started.splice(0).map((one) => one.stop()));
});

async function connectTwo(): Promise<readonly [Transport, Transport]> {
  const server = await startServer();
  started.push(server);
  const connect = async (): Promise<Transport> => {
    const transport = await connectNats({ servers: [server.url], name: "test" });
    transports.push(transport);
    return transport;
  };
  return [await connect(), await connect()];
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

test.skipIf(missing !== null)(
  `an answer belongs to its request, in whatever order they come${why}`,
  async () => {
    const [client, worker] = await connectTwo();
    const held: (() => void)[] = [];
    worker.subscribe("echo", (message, respond) => {
      const copy = message.slice();
      held.push(() => respond?.(copy));
      if (held.length < 20) return;
      for (const answer of held.splice(0).reverse()) answer();
    });
    // A subscription is there once the server has answered something that came after it.
    await expect(worker.request("nobody", bytes(1), 1000)).rejects.toThrow();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => client.request("echo", bytes(i, i + 1), 5000)),
    );
    expect(answers.map((answer) => [...answer])).toEqual(
      Array.from({ length: 20 }, (_, i) => [i, i + 1]),
    );
  },
);

test.skipIf(missing !== null)(`a request says why it has no answer${why}`, async () => {
  const [client, worker] = await connectTwo();
  await expect(client.request("nobody", bytes(1), 60_000)).rejects.toMatchObject({
    failure: "no-responders",
    message: "nobody listens to nobody",
  });
  let late = (): void => {};
  worker.subscribe("slow", (_, respond) => {
    late = () => respond?.(bytes(9));
  });
  worker.subscribe("twice", (_, respond) => {
    respond?.(bytes(1));
    respond?.(bytes(2));
  });
  await expect(worker.request("nobody", bytes(1), 1000)).rejects.toThrow();
  await expect(client.request("slow", bytes(1), 50)).rejects.toMatchObject({ failure: "timeout" });
  // An answer that comes late, and one that comes twice, reach no other request.
  late();
  expect([...(await client.request("twice", bytes(1), 5000))]).toEqual([1]);
  expect([...(await client.request("twice", bytes(1), 5000))]).toEqual([1]);
  const large = new Uint8Array(client.maxPayload + 1);
  await expect(client.request("twice", large, 5000)).rejects.toMatchObject({ failure: "refused" });
  const waiting = client.request("slow", bytes(1), 60_000);
  const rejected = expect(waiting).rejects.toMatchObject({ failure: "closed" });
  await client.close();
  await rejected;
  await expect(client.request("twice", bytes(1), 5000)).rejects.toMatchObject({
    failure: "closed",
  });
});
