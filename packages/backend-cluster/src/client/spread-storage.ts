import {
  bytesPerElement,
  type DeviceStorage,
  type DType,
  type HostTensor,
  rowMajorStrides,
  type TensorLayout,
  tensor,
} from "@heed/core";
import type { PartName, PartVersion } from "../message/requests.js";
import { firstVersion } from "../message/requests.js";
import type { Cluster } from "./cluster.js";
import { copyOf } from "./local-storage.js";
import type { Member } from "./members.js";
import type { Placement } from "./placement.js";
import { readSpread, type SpreadTensor } from "./read.js";

/** Versions that a part may have: several after a write whose outcome is unknown. */
export interface VersionRange {
  readonly least: number;
  readonly most: number;
}

/** A tensor whose rows are spread over workers. */
export class SpreadStorage implements DeviceStorage, SpreadTensor {
  readonly backend = "cluster";
  readonly cluster: Cluster;
  readonly number: number;
  readonly dtype: DType;
  /** `[entries, heads, rows, size]`, or without the last axis. */
  readonly shape: readonly number[];
  readonly placement: Placement;
  readonly #strides: readonly number[];
  /** One a part. */
  readonly versions: VersionRange[];
  /** Workers that may hold parts of it. */
  readonly holders: Set<Member> = new Set();
  /** Resolves when every part is there. */
  ready: Promise<void> = Promise.resolve();
  /** Whether every part was there once: only then can it be copied. */
  placed = false;
  released = false;

  constructor(cluster: Cluster, dtype: DType, shape: readonly number[], placement: Placement) {
    this.cluster = cluster;
    this.number = cluster.nextTensor();
    this.dtype = dtype;
    this.shape = shape;
    this.#strides = rowMajorStrides(shape);
    this.placement = placement;
    this.versions = placement.parts.map(() => ({ least: firstVersion, most: firstVersion }));
    placement.tensors.add(this);
  }

  /** Bytes of one row of one head. */
  get rowBytes(): number {
    return (this.shape[3] ?? 1) * bytesPerElement(this.dtype);
  }

  name(part: number): PartName {
    return { session: this.cluster.session, tensor: this.number, part };
  }

  version(part: number): PartVersion {
    return { ...this.name(part), ...(this.versions[part] as VersionRange) };
  }

  /** Shape of a part. */
  partShape(part: number): readonly number[] {
    const [entries, heads, , ...rest] = this.shape as [number, number, number, ...number[]];
    return [entries, heads, this.placement.stripes.rowsOf(part), ...rest];
  }

  partBytes(part: number): number {
    return (
      this.partShape(part)
        .slice(0, 3)
        .reduce((a, b) => a * b, 1) * this.rowBytes
    );
  }

  /** Whether a layout is that of the whole tensor. */
  isWhole({ shape, strides, offset = 0 }: Partial<TensorLayout>): boolean {
    if (offset !== 0 || shape?.length !== this.shape.length) return false;
    if (!shape.every((size, axis) => size === this.shape[axis])) return false;
    const own = this.#strides;
    return (
      strides === undefined || strides.every((s, axis) => s === own[axis] || shape[axis] === 1)
    );
  }

  async read(layout: TensorLayout): Promise<HostTensor> {
    const whole = await readSpread(this);
    const view = tensor(whole.data, [...layout.shape], {
      dtype: this.dtype,
      strides: layout.strides,
      offset: layout.offset,
    });
    return this.isWhole(layout) ? whole : copyOf(view);
  }

  release(): void {
    this.released = true;
    this.cluster.release(this);
  }
}
