import type { MessageReader } from "../message/reader.js";
import { encodeCopy, type PartName } from "../message/requests.js";
import { requestId } from "../message/sending.js";
import type { Member, Members } from "./members.js";
import type { PlacedPart, PlacedTensor, Placement } from "./placement.js";

/** The client whose parts are copied. */
export interface RepairedCluster {
  readonly options: { readonly group: string; readonly deadline: number };
  readonly members: Members;
  readonly placements: ReadonlySet<Placement>;
  request(member: Member, bytes: Uint8Array, milliseconds: number): Promise<MessageReader>;
  releaseParts(member: Member, names: readonly PartName[]): void;
}

/**
 * Milliseconds that the copy of a part may take, and as many more for each megabyte of it. Writes wait for it: where a worker is
 * lost meanwhile, they have to go on long before their own deadline, of which it may take this share.
 */
const copyWithin = 2000;
const perMegabyte = 40;
const shareOfDeadline = 0.25;

/**
 * Makes copies of parts that have too few: after a worker was lost, and before one leaves. Workers copy from each
 * other; nothing of it passes through the client.
 */
export class Repairs {
  readonly #cluster: RepairedCluster;
  #ended = false;

  constructor(cluster: RepairedCluster) {
    this.#cluster = cluster;
  }

  end(): void {
    this.#ended = true;
  }

  /** Begins the copies that are due. */
  look(): void {
    for (const placement of this.#cluster.placements) {
      for (const part of placement.parts) {
        if (!part.repairing && this.#isDue(part)) void this.#repair(part);
      }
    }
  }

  /** Also where nobody reads or writes the part: a worker that is silent is not noticed by a request then. */
  #isDue(part: PlacedPart): boolean {
    const staying = stayingOf(part).length;
    if (staying >= part.placement.wanted) return staying < part.replicas.length;
    return sourceOf(part) !== undefined && this.#target(part) !== undefined;
  }

  #target(part: PlacedPart): Member | undefined {
    return this.#cluster.members.willing(1).find((member) => !part.replicas.includes(member));
  }

  async #repair(part: PlacedPart): Promise<void> {
    part.repairing = true;
    // Writes wait meanwhile, so that the copy is of one version.
    const turn = part.placement.order.take(false);
    try {
      await turn.ready;
      if (this.#ended) return;
      const { wanted } = part.placement;
      const target = this.#target(part);
      const source = sourceOf(part);
      if (stayingOf(part).length < wanted && target && source) {
        if (await this.#copy(part, source, target)) part.replicas = [...part.replicas, target];
      }
      if (stayingOf(part).length >= wanted) this.#leave(part);
    } finally {
      turn.end();
      part.repairing = false;
    }
  }

  /** Takes a part from workers that are about to leave, or that are silent. */
  #leave(part: PlacedPart): void {
    const staying = stayingOf(part);
    for (const member of part.replicas.filter((one) => !staying.includes(one))) {
      part.drop(member);
      const names = [...part.placement.tensors].map((storage) => storage.name(part.index));
      this.#cluster.releaseParts(member, names);
    }
  }

  async #copy(part: PlacedPart, source: Member, target: Member): Promise<boolean> {
    const { group, deadline } = this.#cluster.options;
    const copied: PlacedTensor[] = [];
    try {
      for (const storage of part.placement.tensors) {
        // One that is not placed yet will be placed on the new worker too.
        if (!storage.placed) continue;
        storage.holders.add(target);
        copied.push(storage);
        const request = { part: storage.version(part.index), from: source.name };
        const within =
          Math.min(copyWithin, shareOfDeadline * deadline) +
          (perMegabyte * storage.partBytes(part.index)) / 1e6;
        await this.#cluster.request(target, encodeCopy(group, requestId(), request), within);
      }
      return true;
    } catch (error) {
      target.missed(error);
      this.#cluster.releaseParts(
        target,
        copied.map((storage) => storage.name(part.index)),
      );
      return false;
    } finally {
      for (const storage of copied) {
        if (storage.released) this.#cluster.releaseParts(target, [storage.name(part.index)]);
      }
    }
  }
}

/** Workers that can be counted on for a part. */
function stayingOf(part: PlacedPart): readonly Member[] {
  return part.replicas.filter(({ stays }) => stays);
}

/** The worker to copy a part from: one that missed a request lately only where it has the last copy. */
function sourceOf(part: PlacedPart): Member | undefined {
  const heard = part.replicas.filter(({ silent }) => !silent);
  return heard.find(({ suspect }) => !suspect) ?? heard[0];
}
