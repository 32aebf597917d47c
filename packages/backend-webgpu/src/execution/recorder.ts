import { usage } from "@heed/gpu-memory";
import { rulesBinding } from "../wgsl/kernel.js";
import type { DeviceCommands } from "./device-commands.js";
import type { Pipelines } from "./pipelines.js";
import type { Schedule, Step } from "./steps.js";

/** Buffers by name; `start` in bytes moves what the schedule takes for the buffer's beginning. */
export type Buffers = ReadonlyMap<string, { readonly buffer: GPUBuffer; readonly start: number }>;

/** Most slots of a ring, and most bytes unless a single slot has more, where the commands are the backend's own. */
const mostSlots = 64;
const mostRingBytes = 2 ** 15;

/** How many calls may await their submission: so many, or as many as fit, after which what waits is submitted. */
export type RecorderRing = { readonly slots: number } | { readonly commands: DeviceCommands };

/** Bind groups kept; the least recently used go first. */
const groupsKept = 256;

/**
 * Records the dispatches of a schedule. Keeps their parameters and the call's small data in one buffer,
 * a ring of slots: a call takes the next slot, which is not taken again before the call's commands have been
 * submitted.
 */
export class Recorder {
  readonly #device: GPUDevice;
  readonly #pipelines: Pipelines;
  readonly #schedule: Schedule;
  readonly #slots: number;
  readonly #commands: DeviceCommands | null;
  /** Number of the submission that each slot's call was last recorded for. */
  readonly #submissions: number[] = [];
  /** Bytes from the parameters of one step to those of the next. */
  readonly #stride: number;
  readonly #rulesAt: number;
  readonly #rulesBytes: number;
  readonly #slotBytes: number;
  readonly #bytes: DataView<ArrayBuffer>;
  readonly #ring: GPUBuffer;
  /** Bound where a kernel has a binding that the call neither reads nor writes. */
  readonly #unread: GPUBuffer;
  readonly #unwritten: GPUBuffer;
  readonly #numbers = new WeakMap<GPUBuffer, number>();
  #buffersSeen = 0;
  readonly #groups = new Map<string, GPUBindGroup>();
  #next = 0;

  /**
   * @param rulesBytes size of a call's small data
   * @param ring with `slots`, the caller submits before it begins as many more calls
   */
  constructor(
    device: GPUDevice,
    pipelines: Pipelines,
    schedule: Schedule,
    rulesBytes: number,
    ring: RecorderRing,
  ) {
    this.#device = device;
    this.#pipelines = pipelines;
    this.#schedule = schedule;
    this.#rulesBytes = rulesBytes;
    this.#commands = "commands" in ring ? ring.commands : null;
    const alignment = Math.max(
      device.limits.minUniformBufferOffsetAlignment,
      device.limits.minStorageBufferOffsetAlignment,
    );
    const align = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;
    const paramsBytes = schedule.steps.map(({ kernel }) => kernel.params.bytes);
    this.#stride = align(Math.max(16, ...new Set(paramsBytes)));
    this.#rulesAt = this.#stride * schedule.steps.length;
    this.#slotBytes = align(this.#rulesAt + Math.max(16, rulesBytes));
    const fit = Math.max(1, Math.min(mostSlots, Math.floor(mostRingBytes / this.#slotBytes)));
    this.#slots = "slots" in ring ? ring.slots : fit;
    this.#bytes = new DataView(new ArrayBuffer(this.#slotBytes));
    for (const [i, { kernel, params }] of schedule.steps.entries()) {
      kernel.params.write(this.#bytes, i * this.#stride, params);
    }
    this.#ring = device.createBuffer({
      label: "heed params",
      size: this.#slots * this.#slotBytes,
      usage: usage.uniform | usage.storage | usage.copyTarget,
    });
    const nothing = (): GPUBuffer => device.createBuffer({ size: 256, usage: usage.storage });
    this.#unread = nothing();
    this.#unwritten = nothing();
  }

  /**
   * Queues a write of a call's parameters to the next slot; it takes effect for all later submissions.
   *
   * @param rules the call's small data
   * @returns the slot
   */
  begin(rules: Uint8Array): number {
    const slot = this.#next;
    const waiting = this.#commands?.waiting ?? null;
    if (waiting !== null && this.#submissions[slot] === waiting) this.#commands?.submit();
    this.#next = (slot + 1) % this.#slots;
    new Uint8Array(this.#bytes.buffer).set(rules, this.#rulesAt);
    this.#device.queue.writeBuffer(this.#ring, slot * this.#slotBytes, this.#bytes.buffer);
    return slot;
  }

  /** Records steps `first` to before `end` of a call that {@link begin} has given a slot. */
  record(
    pass: GPUComputePassEncoder,
    slot: number,
    buffers: Buffers,
    first = 0,
    end: number = this.#schedule.steps.length,
  ): void {
    if (this.#commands !== null) this.#submissions[slot] = this.#commands.waiting ?? 0;
    for (let i = first; i < end; i++) {
      const step = this.#schedule.steps[i] as Step;
      const { pipeline, layout } = this.#pipelines.get(step.kernel);
      const at = slot * this.#slotBytes;
      const offsets = [at + i * this.#stride];
      for (const { name } of step.kernel.bindings) {
        if (name === rulesBinding) offsets.push(at + this.#rulesAt);
      }
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, this.#group(i, layout, buffers), offsets);
      pass.dispatchWorkgroups(...step.grid);
    }
  }

  dispose(): void {
    this.#commands?.submit();
    for (const buffer of [this.#ring, this.#unread, this.#unwritten]) buffer.destroy();
    this.#groups.clear();
  }

  #group(at: number, layout: GPUBindGroupLayout, buffers: Buffers): GPUBindGroup {
    const { kernel, windows } = this.#schedule.steps[at] as Step;
    const resources: GPUBufferBinding[] = [{ buffer: this.#ring, size: kernel.params.bytes }];
    let window = 0;
    for (const { name, access } of kernel.bindings) {
      if (name === rulesBinding) {
        resources.push({ buffer: this.#ring, size: this.#rulesBytes });
        continue;
      }
      const { buffer, start, size } = windows[window++] as (typeof windows)[number];
      const found = buffer === null ? undefined : buffers.get(buffer);
      if (buffer !== null && !found) throw new Error(`no buffer for ${buffer}`);
      resources.push(
        found
          ? { buffer: found.buffer, offset: found.start + start, ...(size !== null && { size }) }
          : { buffer: access === "read" ? this.#unread : this.#unwritten },
      );
    }
    const key = `${at} ${resources.map((r) => `${this.#number(r.buffer)}+${r.offset ?? 0}`).join()}`;
    let group = this.#groups.get(key);
    if (group) {
      this.#groups.delete(key);
    } else {
      group = this.#device.createBindGroup({
        layout,
        entries: resources.map((resource, binding) => ({ binding, resource })),
      });
    }
    this.#groups.set(key, group);
    if (this.#groups.size > Math.max(groupsKept, this.#schedule.steps.length)) {
      this.#groups.delete(this.#groups.keys().next().value as string);
    }
    return group;
  }

  #number(buffer: GPUBuffer): number {
    let number = this.#numbers.get(buffer);
    if (number === undefined) {
      number = this.#buffersSeen++;
      this.#numbers.set(buffer, number);
    }
    return number;
  }
}
