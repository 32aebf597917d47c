import { CallOrder } from "@heed/core";
import type { PartName, PartVersion } from "../message/requests.js";
import type { Stripes } from "../stripes.js";
import type { Member } from "./members.js";

/** A tensor as its placement sees it. */
export interface PlacedTensor {
  readonly placement: Placement;
  /** Workers that may hold parts of it. */
  readonly holders: Set<Member>;
  /** Whether every part was there once: only then can it be copied. */
  readonly placed: boolean;
  readonly released: boolean;
  /** Bytes of a part. */
  partBytes(part: number): number;
  name(part: number): PartName;
  version(part: number): PartVersion;
}

/** A part of every tensor of a placement, and the workers that hold it. */
export class PlacedPart {
  readonly index: number;
  readonly placement: Placement;
  /** Workers whose copy is complete, in the order in which they are asked. */
  replicas: readonly Member[];
  /** Whether a copy is being made. */
  repairing = false;

  constructor(placement: Placement, index: number, replicas: readonly Member[]) {
    this.placement = placement;
    this.index = index;
    this.replicas = replicas;
  }

  /** Asks a worker no more for this part: its copy is gone or behind. */
  drop(member: Member): void {
    this.replicas = this.replicas.filter((other) => other !== member);
  }

  /** The rows of the part in words, for errors. */
  get words(): string {
    const { stripes } = this.placement;
    if (stripes.parts === 1) return `all ${stripes.length} rows`;
    const rows: string[] = [];
    stripes.forEachRun(this.index, (row, _, length) => {
      if (rows.length < 3) rows.push(`${row} to ${row + length - 1}`);
    });
    const more = stripes.rowsOf(this.index) > rows.length * stripes.pageSize ? ", …" : "";
    return `part ${this.index + 1} of ${stripes.parts} (rows ${rows.join(", ")}${more})`;
  }
}

/**
 * The workers that hold the parts of tensors with the same rows: keys, values and scales of a cache share one, so that each part
 * of a call finds all that it needs on one worker.
 */
export class Placement {
  readonly entries: number;
  readonly stripes: Stripes;
  readonly parts: readonly PlacedPart[];
  /** Copies that each part should have, where there are as many workers. */
  readonly wanted: number;
  /** Writes wait for earlier calls to end, and calls for earlier writes. */
  readonly order: CallOrder = new CallOrder();
  readonly tensors: Set<PlacedTensor> = new Set();

  /** @param members as many as there are parts, or more; part i lies on those from number i on */
  constructor(entries: number, stripes: Stripes, members: readonly Member[], replicas: number) {
    this.entries = entries;
    this.stripes = stripes;
    this.wanted = replicas;
    this.parts = Array.from({ length: stripes.parts }, (_, index) => {
      const of = Array.from({ length: Math.min(replicas, members.length) }, (_, replica) => {
        return members[(index + replica) % members.length] as Member;
      });
      return new PlacedPart(this, index, of);
    });
  }
}
