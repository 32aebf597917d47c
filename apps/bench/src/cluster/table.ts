import { sizes } from "./measure.js";
import {
  bytesOfToken,
  type ClusterConstants,
  keysThatPay,
  llama8b,
  secondsOfToken,
} from "./model.js";

/** Machines and tokens of the table. */
const machines = [2, 4, 8, 16, 32, 64] as const;
const tokens = [1e5, 1e6, 1e7, 1e8] as const;
/** Round trips of the table of sizes that pay, in milliseconds. */
const roundTrips = [0.1, 0.5, 1, 5, 20] as const;

/** A network within a building: a guess that readers replace by theirs. */
const network = { roundTrip: 0.5e-3, linkBytes: 1.25e9 } as const;

/**
 * Results of the model with the constants of this machine, as text in Markdown. They are computed, not measured.
 *
 * @param local milliseconds of the call on one backend in this process
 * @param client milliseconds of the client's own work, for a call and for each part of it
 */
export function computedTable(
  local: number,
  client: { readonly perCall: number; readonly perPart: number },
): string {
  const constants: ClusterConstants = {
    ...network,
    memoryBytes: (sizes.keys * bytesOfToken(llama8b)) / (local / 1000),
    perCall: client.perCall / 1000,
    perPart: client.perPart / 1000,
  };
  const rows = tokens.map((count) => {
    const cells = machines.map((number) => {
      const milliseconds = 1000 * secondsOfToken(llama8b, constants, number, count);
      const each = (llama8b.layers * bytesOfToken(llama8b) * count) / number / 2 ** 30;
      return `${round(milliseconds)} ms, ${round(each)} GiB`;
    });
    return `| ${count.toExponential(0).replace("e+", "e")} | ${cells.join(" | ")} |`;
  });
  const pays = roundTrips.map((milliseconds) => {
    const of = { ...constants, roundTrip: milliseconds / 1000 };
    return `${milliseconds} ms: ${Math.round(keysThatPay(llama8b, of, 3) / 100) * 100} keys`;
  });
  const rate = (constants.memoryBytes / 1e9).toFixed(1);
  return [
    `Computed, not measured, for one token of Llama 3.1 8B in float32, with ${rate} GB of keys a second on each machine,`,
    `${client.perCall.toFixed(2)} ms of the client's own work for a call and ${client.perPart.toFixed(2)} ms for each part, a round trip of ${1000 * network.roundTrip} ms and a link of 10 Gbit/s: milliseconds of`,
    "attention for a token in all 32 layers, and memory of each machine.",
    "",
    `| tokens | ${machines.map((number) => `${number} machines`).join(" | ")} |`,
    `| --- |${machines.map(() => " --- |").join("")}`,
    ...rows,
    "",
    `Three machines are faster than one that has all keys, for each layer, from about (by round trip) ${pays.join("; ")}.`,
  ].join("\n");
}

function round(value: number): string {
  return value >= 100 ? `${Math.round(value)}` : value.toPrecision(2);
}
