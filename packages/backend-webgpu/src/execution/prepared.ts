import type { Kernel } from "../wgsl/kernel.js";
import type { DeviceCommands } from "./device-commands.js";
import type { Pipelines } from "./pipelines.js";
import type { Program } from "./program.js";
import { Recorder } from "./recorder.js";
import { type Layouts, layoutKey, type Schedule } from "./steps.js";

/** Layouts of inputs that a plan keeps prepared; the least recently used go first. */
export const preparedLayouts = 16;

/** The dispatches for one layout of a problem's inputs, and the recorder that has their parameters. */
export class Prepared {
  readonly schedule: Schedule;
  /** Resolves when all kernels are compiled. */
  readonly ready: Promise<void>;
  readonly #make: () => Recorder;
  #recorder: Recorder | null = null;
  /** Runs that have yet to record, and the cache as long as it has the entry. */
  #users = 1;

  constructor(schedule: Schedule, ready: Promise<void>, make: () => Recorder) {
    this.schedule = schedule;
    this.ready = ready;
    this.#make = make;
  }

  get recorder(): Recorder {
    this.#recorder ??= this.#make();
    return this.#recorder;
  }

  hold(): void {
    this.#users += 1;
  }

  /** Destroys the recorder's buffers once nobody uses them. */
  release(): void {
    this.#users -= 1;
    if (this.#users === 0) this.#recorder?.dispose();
  }
}

/** The kernels of a schedule, each once. */
export function kernelsOf({ steps }: Schedule): Kernel[] {
  return [...new Map(steps.map(({ kernel }) => [kernel.name, kernel])).values()];
}

/** A plan's prepared layouts. Runs hold the one that they use, whatever happens to the cache meanwhile. */
export class PreparedLayouts {
  readonly #device: GPUDevice;
  readonly #pipelines: Pipelines;
  readonly #commands: DeviceCommands;
  readonly #program: Pick<Program, "schedule" | "rulesBytes">;
  /** In order of use. */
  readonly #entries = new Map<string, Prepared>();

  constructor(
    device: GPUDevice,
    pipelines: Pipelines,
    commands: DeviceCommands,
    program: Pick<Program, "schedule" | "rulesBytes">,
  ) {
    this.#device = device;
    this.#pipelines = pipelines;
    this.#commands = commands;
    this.#program = program;
  }

  /**
   * The entry for a layout, held for the caller, who releases it when its commands are recorded.
   *
   * @param variant of the schedule
   * @param schedule for the layout, where it is known already
   */
  take(layouts: Layouts, variant = "", schedule?: Schedule): Prepared {
    const key = `${variant} ${layoutKey(layouts)}`;
    let entry = this.#entries.get(key);
    if (entry) this.#entries.delete(key);
    else entry = this.#prepare(key, schedule ?? this.#program.schedule(layouts, variant));
    this.#entries.set(key, entry);
    entry.hold();
    for (const [oldest, evicted] of this.#entries) {
      if (this.#entries.size <= preparedLayouts) break;
      this.#entries.delete(oldest);
      evicted.release();
    }
    return entry;
  }

  dispose(): void {
    for (const entry of this.#entries.values()) entry.release();
    this.#entries.clear();
  }

  #prepare(key: string, schedule: Schedule): Prepared {
    const ready = this.#pipelines.prepare(kernelsOf(schedule));
    const entry = new Prepared(
      schedule,
      ready,
      () =>
        new Recorder(this.#device, this.#pipelines, schedule, this.#program.rulesBytes, {
          commands: this.#commands,
        }),
    );
    // A failure to compile is not kept: the next call tries again.
    ready.catch(() => {
      if (this.#entries.get(key) !== entry) return;
      this.#entries.delete(key);
      entry.release();
    });
    return entry;
  }
}
