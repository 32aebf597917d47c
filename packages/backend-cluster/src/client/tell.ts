import { DeviceLostError } from "@heed/core";
import { effectOf, refusalOf } from "./ask.js";
import type { Cluster } from "./cluster.js";
import type { Member } from "./members.js";
import { Patience } from "./patience.js";
import type { PlacedPart } from "./placement.js";

/** Milliseconds before a worker that could not be reached is told again. */
const retryAfter = 25;
/** Milliseconds that one attempt may take before it is repeated. */
const attemptFor = 1000;

/**
 * Tells every replica of a part to change something, again and again until it says that it did: requests can be repeated
 * without harm. A replica that does not say so in time is dropped, if another one did: it would be behind.
 *
 * @param messages one after another
 * @param until deadline, in milliseconds of `performance.now`
 * @throws DeviceLostError (rejects) if no replica did; the outcome is then unknown
 * @throws OutOfMemoryError, BackendError (rejects) if the workers refuse
 */
export async function tell(
  cluster: Cluster,
  part: PlacedPart,
  messages: readonly Uint8Array[],
  until: number,
): Promise<void> {
  const { replicas } = part;
  const patience = new Patience(until);
  const told = new Set<Member>();
  const behind = new Set<Member>();
  let refused: unknown;
  const tellOne = async (member: Member): Promise<void> => {
    for (const bytes of messages) {
      const error = await untilDone(cluster, member, bytes, patience);
      if (error === null) continue;
      if (effectOf(error) !== "again") behind.add(member);
      if (effectOf(error) === "refused") refused = error;
      return;
    }
    told.add(member);
    // One is enough to go on with; the others have a little longer.
    patience.bringForward(performance.now() + cluster.options.patience);
  };
  await Promise.race([Promise.all(replicas.map(tellOne)), patience.over]);
  patience.end();
  if (told.size > 0) {
    for (const member of replicas) {
      if (told.has(member)) continue;
      part.drop(member);
      member.missed();
    }
    return;
  }
  if (refused !== undefined) throw refusalOf(refused);
  for (const member of behind) part.drop(member);
  const why =
    part.replicas.length === 0
      ? "no worker has it any more"
      : "no worker confirmed it before the deadline";
  throw new DeviceLostError("cluster", `${part.words} could not be written: ${why}`);
}

/** @returns null when the worker did it, otherwise why it did not */
async function untilDone(
  cluster: Cluster,
  member: Member,
  bytes: Uint8Array,
  patience: Patience,
): Promise<unknown> {
  let last: unknown = new Error("no time was left");
  while (patience.left > 0) {
    try {
      await cluster.request(member, bytes, Math.min(attemptFor, patience.left));
      return null;
    } catch (error) {
      if (effectOf(error) !== "again") return error;
      last = error;
      member.missed(error);
      await new Promise((resolve) => setTimeout(resolve, retryAfter));
    }
  }
  return last;
}
